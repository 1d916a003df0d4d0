// Client URL REQUESTS CONCURRENCY: java.net.http.HttpClient with keep-alive; every answer is looked at.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Client {
  static byte[] pattern(int size) {
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; ++i) bytes[i] = (byte) (i % 251);
    return bytes;
  }

  static void ask(HttpClient client, String url, String target, byte[] body, byte[] wanted) throws Exception {
    HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(url + target));
    if (body != null) builder.POST(HttpRequest.BodyPublishers.ofByteArray(body));
    HttpResponse<byte[]> response = client.send(builder.build(), HttpResponse.BodyHandlers.ofByteArray());
    String answered = response.headers().firstValue("x-target").orElse("");
    boolean right = response.statusCode() == 200 && answered.equals(target) && (wanted == null || Arrays.equals(response.body(), wanted));
    if (!right) throw new IllegalStateException(target + ": " + response.statusCode() + " " + answered + " " + response.body().length);
  }

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0];
    int requests = Integer.parseInt(arguments[1]);
    int concurrency = Integer.parseInt(arguments[2]);
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    byte[] small = pattern(300), thousand = pattern(1000), block = pattern(65536), large = pattern(2000000);
    ExecutorService threads = Executors.newFixedThreadPool(concurrency);
    List<Future<Integer>> results = new ArrayList<>();
    for (int which = 0; which < concurrency; ++which) {
      final int number = which;
      results.add(threads.submit((Callable<Integer>) () -> {
        for (int i = 0; i < requests; ++i) {
          String name = "java-" + number + "-" + i;
          if (i % 50 == 49) ask(client, url, "/v1/size/2000000/" + name, null, large);
          else if (i % 4 == 1) ask(client, url, "/v1/echo/" + name, small, null);
          else if (i % 4 == 3) ask(client, url, "/v2/size/65536/" + name, null, block);
          else ask(client, url, "/v1/size/1000/" + name, null, thousand);
        }
        return requests;
      }));
    }
    int answers = 0;
    for (Future<Integer> result : results) answers += result.get();
    System.out.println("{\"answers\": " + answers + "}");
    System.exit(0);
  }
}

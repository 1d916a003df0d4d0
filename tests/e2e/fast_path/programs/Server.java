// Server PORT: com.sun.net.httpserver: /java/size/N is a body of so many bytes, POST /java/echo says how many came.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

public class Server {
  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 256);
    server.setExecutor(Executors.newFixedThreadPool(16));
    server.createContext("/", exchange -> {
      String[] words = exchange.getRequestURI().getPath().split("/");
      byte[] came = exchange.getRequestBody().readAllBytes();
      byte[] body = String.valueOf(came.length).getBytes();
      boolean chunked = words[2].equals("chunked");
      if (words[2].equals("size") || chunked) {
        body = new byte[Integer.parseInt(words[3])];
        for (int i = 0; i < body.length; ++i) body[i] = (byte) (i % 251);
      }
      exchange.getResponseHeaders().set("X-Target", exchange.getRequestURI().getPath());
      exchange.sendResponseHeaders(200, chunked ? 0 : body.length == 0 ? -1 : body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
    System.out.println("ready");
  }
}

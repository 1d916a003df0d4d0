// docs/constructs.md: for each construct of the grammar whether this version builds it, and where it is executed. The table is
// made here: what is refused says the front end, on an example of each. HEDDLE_UPDATE_GOLDEN=1 writes the page anew; read the
// difference.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

/// Where a construct that is built has its effect.
enum class Where { both, handler, passage, tunnel, connect, node, normal, build, check, tests };

struct Row {
  const char* label;    // of the grammar's alternative; what has none is called by its keyword
  const char* example;  // what the page shows
  std::string policy;   // a whole policy with it
  Where where = Where::both;
};

std::string mesh(const std::string& item) {
  return "mesh m { " + item + " }\n";
}
std::string in_mesh(const std::string& item) {
  return mesh("trust_domain \"m.example\"  " + item);
}
std::string with(const std::string& declarations) {
  return base + declarations;
}
std::string in_service(const std::string& item, const std::string& protocol = "http", const std::string& transport = "plaintext") {
  return with("service s { address 10.0.0.9:80  protocol " + protocol + "  transport " + transport + "  identity cart  " + item +
              " }\naccess s { allow from web }\n");
}
std::string of_tls(const std::string& more) {
  return in_service("endpoint 10.0.0.8:443", "tls") + more;
}
std::string when(const std::string& condition) {
  return with("route cart { when " + condition + " -> v1  otherwise -> cart }");
}
std::string to(const std::string& target) {
  return with("route cart { when path is \"/\" -> " + target + "  otherwise -> cart }");
}
std::string option(const std::string& text) {
  return to("v1 { " + text + " }");
}
std::string in_route(const std::string& item) {
  return with("route cart { " + item + "  otherwise -> cart }");
}
std::string in_limit(const std::string& item) {
  return with("limit l on cart { rate 1/s burst 1  " + item + " }");
}
std::string expecting(const std::string& expectation, const std::string& send = "send GET \"/\" to cart from web") {
  return with("test \"t\" { " + send + "  expect " + expectation + " }");
}

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"trustDomain", "trust_domain \"m.example\"", mesh("trust_domain \"m.example\""), Where::node},
      {"alias", "trust_domain \"new\" alias \"old\"", mesh("trust_domain \"new\" alias \"old\""), Where::node},
      {"meshPaths", "paths strict", in_mesh("paths strict")},
      {"paths merge", "paths merge", in_mesh("paths merge"), Where::normal},
      {"paths decode", "paths decode", in_mesh("paths decode"), Where::normal},
      {"keep", "paths strict keep \"%2F\"", in_mesh("paths strict keep \"%2F\"")},
      {"outside", "outside deny", in_mesh("outside deny"), Where::connect},
      {"amplification", "amplification at_most 9", in_mesh("amplification at_most 9"), Where::check},
      {"space", "space payments", "space payments\n" + in_mesh(""), Where::node},

      {"spiffeIdentity", "identity web = spiffe \"ns/web\"", with("identity x = spiffe \"ns/x\"")},
      {"jwtIdentity", "identity admin = jwt issuer \"i\" audience \"a\" jwks \"k\"",
       with("identity x = jwt issuer \"i\" audience \"a\" jwks \"k\"")},
      {"groupIdentity", "identity all = web or cart", with("identity x = web or cart")},
      {"cgroup", "cgroup \"shop/web\"", with("workload w { cgroup \"w\"  identity web }"), Where::node},
      {"workloadIdentity", "identity web", with("workload w { cgroup \"w\"  identity web }"), Where::node},
      {"fastPath", "fast_path off", with("workload w { cgroup \"w\"  identity web  fast_path off }"), Where::node},

      {"serviceAddress", "address 10.96.0.1:80, [fd00::1]:80", in_service("address [fd00::1]:80")},
      {"serviceProtocol", "protocol http", in_service("")},
      {"protocol tcp", "protocol tcp", in_service("", "tcp"), Where::connect},
      {"protocol http2", "protocol http2", in_service("", "http2")},
      {"protocol grpc", "protocol grpc", in_service("", "grpc")},
      {"protocol tls", "protocol tls", in_service("", "tls"), Where::passage},
      {"serviceTransport", "transport plaintext", in_service("")},
      {"transport mtls", "transport mtls", in_service("", "http", "mtls"), Where::tunnel},
      {"transport tls", "transport tls", in_service("", "http", "tls")},
      {"transport or", "transport mtls or plaintext", in_service("", "http", "mtls or plaintext")},
      {"serviceIdentity", "identity cart", in_service("")},
      {"subset", "subset v1 where version is \"v1\"", in_service("subset v1 where version is \"v1\"  endpoint 10.0.0.8:80 { version \"v1\" }")},
      {"serviceBalance", "balance round_robin", in_service("balance round_robin")},
      {"balance random", "balance random", in_service("balance random")},
      {"balance least_request", "balance least_request", in_service("balance least_request")},
      {"balance maglev", "balance maglev by address", in_service("balance maglev by address")},
      {"prefer", "balance prefer same_zone round_robin", in_service("balance prefer same_zone round_robin")},
      {"eject", "eject after 5 failures for 30s at_most 50%", in_service("eject after 5 failures for 30s at_most 100%")},
      {"atMost", "at_most 1024 connections, 256 pending", in_service("at_most 1024 connections, 256 pending")},
      {"servicePaths", "paths merge (of a service)", in_service("paths merge"), Where::normal},
      {"serviceEndpoint", "endpoint 10.0.1.1:80", in_service("endpoint 10.0.0.8:80")},
      {"endpointWeight", "endpoint 10.0.1.1:80 { weight 2 }", in_service("endpoint 10.0.0.8:80 { weight 2 }")},
      {"endpointLabel", "endpoint 10.0.1.1:80 { version \"v1\" }", in_service("endpoint 10.0.0.8:80 { version \"v1\" }")},

      {"retry", "retry gentle { on reset  at_most 2 retries  budget 20% of requests }", with("retry r { on reset  at_most 2 retries  budget 20% of requests }")},
      {"routeTimeout", "timeout 2s (of a route)", in_route("timeout 2s")},
      {"routePerTry", "per_try 250ms (of a route)", in_route("per_try 250ms")},
      {"routeRetry", "retry gentle (of a route)", with("retry r { on reset  at_most 2 retries  budget 20% of requests }\nroute cart { retry r  otherwise -> cart }")},
      {"whenRule", "when … -> v1", to("v1")},
      {"otherwiseRule", "otherwise -> v1", to("v1")},
      {"splitTarget", "split { 90% v1, 10% v2 }", to("split { 90% v1, 10% v2 }")},
      {"split by", "split by cookie \"c\" { 90% v1, 10% v2 }", to("split by cookie \"c\" { 90% v1, 10% v2 }")},
      {"otherTarget", "-> v1", to("v1")},
      {"pool", "-> v1, -> cart", to("cart")},
      {"another service", "-> payments.ledger", with("service s { address 10.0.0.9:80  protocol http  transport plaintext }\naccess s { allow "
                                                     "from web }\nroute cart { otherwise -> s }")},
      {"respond", "respond 200 \"ok\"", to("respond 200 \"ok\""), Where::handler},
      {"respond type", "respond 200 \"{}\" type \"application/json\"", to("respond 200 \"{}\" type \"application/json\""), Where::handler},
      {"redirect", "redirect 301 host \"h\"", to("redirect 301 host \"h\""), Where::handler},
      {"redirect scheme", "redirect 308 scheme \"https\" port 8443", to("redirect 308 scheme \"https\" port 8443"), Where::handler},
      {"redirect path", "redirect 302 path \"/x\"", to("redirect 302 path \"/x\""), Where::handler},
      {"redirect prefix", "redirect 302 prefix \"/a\" to \"/b\"",
       with("route cart { when path under \"/a\" -> redirect 302 prefix \"/a\" to \"/b\"  otherwise -> cart }"), Where::handler},
      {"respond in a split", "split { 90% v1, 10% respond 503 \"later\" }", to("split { 90% v1, 10% respond 503 \"later\" }"), Where::handler},
      {"redirect in a split", "split { 90% v1, 10% redirect 302 host \"h\" }", to("split { 90% v1, 10% redirect 302 host \"h\" }"),
       Where::handler},

      {"labelOption", "{ label \"name\" }", option("label \"name\"")},
      {"timeoutOption", "{ timeout 2s }", option("timeout 2s")},
      {"perTryOption", "{ per_try 250ms }", option("per_try 250ms")},
      {"retryOption", "{ retry gentle }", with("retry r { on reset  at_most 2 retries  budget 20% of requests }\nroute cart { otherwise -> v1 { retry r } }")},
      {"upgradeOption", "{ upgrade websocket }", option("upgrade websocket")},
      {"requireOption", "{ require kernel }", option("require kernel"), Where::build},
      {"rewriteOption", "{ rewrite path \"/a\" to \"/b\" }", with("route cart { when path under \"/a\" -> v1 { rewrite path \"/a\" to \"/b\" }  otherwise -> cart }")},
      {"headerOption", "{ set header \"n\" \"v\" }", option("set header \"n\" \"v\"")},
      {"removeOption", "{ remove header \"n\" }", option("remove header \"n\"")},
      {"mirrorOption", "{ mirror v2 5% }", option("mirror v2 5%")},
      {"faultOption", "{ fault abort 503 1% }", option("fault abort 503 1%")},
      {"corsOption", "{ cors { origins [\"https://x\"] } }", option("cors { origins [\"https://x\"] }")},

      {"accessService", "access cart { allow from web }", with("")},
      {"access audit", "access cart audit { … }", with("access cart audit { allow from web }")},
      {"accessEvery http", "access every http service { … }", with("access every http service { deny from any when path is \"/a\" }")},
      {"audit", "audit deny from any", with("service s { address 10.0.0.9:80  protocol http  transport plaintext }\naccess s { allow from web  audit deny from any }")},
      {"accessEvery", "access every service { … }", with("access every service { deny from any }")},
      {"via", "from admin via web", with("identity admin = jwt issuer \"i\" audience \"a\" jwks \"k\"\nroute cart { when from admin via web -> v1  otherwise -> cart }")},

      {"limit", "limit l on cart { rate 100/s burst 20 }", in_limit("")},
      {"limit when", "when path under \"/a\" (of a limit)", in_limit("when path under \"/a\"")},
      {"key", "key identity, address, method, host, header \"n\", query \"n\", cookie \"n\"",
       in_limit("key identity, address, method, host, header \"n\", query \"n\", cookie \"n\"")},
      {"key user", "key user", in_limit("key user")},
      {"key claim", "key claim \"sub\"", in_limit("key claim \"sub\"")},
      {"scope node", "scope node", in_limit("scope node")},
      {"scope mesh", "scope mesh", in_limit("scope mesh")},

      {"valueTest", "path is \"/a\", in [\"/a\"]", when("path is \"/a\" or path in [\"/a\", \"/b\"]")},
      {"under", "path under \"/a\", host under \"a.example\"", when("path under \"/a\" or host under \"a.example\"")},
      {"starts", "path starts \"/a\"", when("path starts \"/a\" or header \"n\" starts \"a\"")},
      {"ends", "path ends \".json\"", when("path ends \".json\" or cookie \"n\" ends \"a\"")},
      {"contains", "header \"n\" contains \"a\"", when("header \"n\" contains \"a\"")},
      {"like", "path like \"/a/{x}/**\"", when("path like \"/a/{x}/**\"")},
      {"matches", "path matches /\\/a.*/", when("path matches /\\/a.*/")},
      {"present", "header \"n\" present, absent", when("header \"n\" present or header \"m\" absent")},
      {"has", "header \"n\" has \"a\"", when("header \"n\" has \"a\"")},
      {"ignoringCase", "ignoring case", when("path is \"/a\" ignoring case")},
      {"host", "host is \"a\"", when("host is \"a\"")},
      {"header", "header \"n\" is \"a\"", when("header \"n\" is \"a\"")},
      {"query", "query \"n\" is \"a\"", when("query \"n\" is \"a\"")},
      {"cookie", "cookie \"n\" is \"a\"", when("cookie \"n\" is \"a\"")},
      {"claim", "claim \"n\" is \"a\"", when("claim \"n\" is \"a\"")},
      {"sni", "sni is \"a\", in [\"a\"], under \"a\"", of_tls("route s { when sni is \"a\" or sni not in [\"a\", \"b\"] or sni under \"c\" -> s  otherwise -> s }"),
       Where::passage},
      {"address of tls", "address in [10.0.0.0/8], split by address (on tls)",
       of_tls("route s { when address is 10.0.0.1 -> split by address { 50% s, 50% s }  otherwise -> s }"), Where::passage},
      {"address of tcp", "address in [10.0.0.0/8], split by address (on tcp)",
       in_service("endpoint 10.0.0.8:443", "tcp") + "route s { when address is 10.0.0.1 -> split by address { 50% s, 50% s }  otherwise -> s }", Where::passage},
      {"methodTest", "method in [GET, HEAD]", when("method in [GET, HEAD]")},
      {"fromTest", "from web, from in [web, cart]", when("from web or from in [web, cart]")},
      {"addressTest", "address in [10.0.0.0/8]", when("address in [10.0.0.0/8]")},
      {"portTest", "port is 80", when("port is 80")},
      {"grpcTest", "grpc \"pkg.Service/Method\"", when("grpc \"pkg.Service/Method\"")},
      {"namedTest", "geo (an extern)", with("extern geo from \"geo.bpf.c\"\nroute cart { when geo -> v1  otherwise -> cart }")},

      {"assert", "assert \"a\" { on cart : denied }", with("assert \"a\" { on cart : denied }")},

      {"sendItem", "send GET \"/\" to cart", expecting("allowed"), Where::tests},
      {"httpRequest", "send GET \"/\" to cart", expecting("allowed"), Where::tests},
      {"connectRequest", "connect to cache from cart", expecting("allowed", "connect to cache from cart"), Where::tests},
      {"portPart", "port 80", expecting("allowed", "send GET \"/\" to cart from web port 80"), Where::tests},
      {"fromPart", "from web", expecting("allowed"), Where::tests},
      {"atPart", "at 10.0.0.1", expecting("allowed", "send GET \"/\" to cart from web at 10.0.0.1"), Where::tests},
      {"timesPart", "3 times", expecting("allowed", "send GET \"/\" to cart from web 3 times"), Where::tests},
      {"headerPart", "with header \"n\" \"v\"", expecting("allowed", "send GET \"/\" to cart from web with header \"n\" \"v\""), Where::tests},
      {"hostPart", "with host \"h\"", expecting("allowed", "send GET \"/\" to cart from web with host \"h\""), Where::tests},
      {"sniPart", "with sni \"a.example\"", of_tls("test \"t\" { connect to s from web with sni \"a.example\"  expect allowed }"), Where::tests},
      {"claimPart", "with claim \"n\" \"v\"", with("identity admin = jwt issuer \"i\" audience \"a\" jwks \"k\"\ntest \"t\" { send GET \"/\" to cart from admin with claim \"n\" \"v\"  expect denied }"), Where::tests},
      {"nobody", "from unauthenticated", expecting("denied", "send GET \"/\" to cart from unauthenticated"), Where::tests},
      {"spiffeSender", "from spiffe \"ns/x\"", expecting("denied", "send GET \"/\" to cart from spiffe \"ns/x\""), Where::tests},
      {"identitySender", "from web", expecting("allowed"), Where::tests},
      {"expectItem", "expect allowed", expecting("allowed"), Where::tests},
      {"expectAllowed", "allowed", expecting("allowed"), Where::tests},
      {"expectDenied", "denied", expecting("denied", "send GET \"/\" to cart"), Where::tests},
      {"expectLimited", "limited", with("limit l on cart { rate 1/h burst 1 }\ntest \"t\" { send GET \"/\" to cart from web 2 times  expect limited }"),
       Where::tests},
      {"expectRefused", "refused 400", expecting("refused 400", "send GET \"//\" to cart from web"), Where::tests},
      {"expectStatus", "status 403", expecting("status 403", "send GET \"/\" to cart"), Where::tests},
      {"expectRoute", "route v1 or v2", expecting("route cart"), Where::tests},
      {"expectRule", "rule \"access cart/1\"", expecting("rule \"access cart/default\"", "send GET \"/\" to cart"), Where::tests},
      {"expectRetries", "retries 2", expecting("retries 2"), Where::tests},
      {"expectTimeout", "timeout none", expecting("timeout none"), Where::tests},
      {"expectTier", "tier kernel", expecting("tier kernel"), Where::tests},
      {"expectPath", "path \"/x\"", expecting("path \"/x\""), Where::tests},
      {"expectHost", "host \"h\"", expecting("host \"h\""), Where::tests},
      {"expectHeader", "header \"n\" \"v\"", expecting("header \"n\" \"v\""), Where::tests},
      {"expect response header", "response header \"location\" absent",
       expecting("response header \"location\" absent", "send GET \"/\" to cart"), Where::tests},
      {"expectMirror", "mirror v2", expecting("mirror v2"), Where::tests},
  };
  return all;
}

/// How far this version comes with a construct.
enum class Built { refused, evaluated, run };

/// What is refused, or cannot be run, has no other mistake.
Built built(const Row& row) {
  const Checked checked = check(row.policy);
  bool refused = false;
  for (const auto& diagnostic : checked.sink.sorted(checked.sources)) {
    if (std::string(diagnostic.kind->code) == "E0013") refused = true;
    const bool harmless = diagnostic.kind->code[0] == 'W' || std::string(diagnostic.kind->code) == "E0013";
    EXPECT_TRUE(harmless) << row.label << ": " << diagnostic.message << "\n" << row.policy;
  }
  EXPECT_NE(refused, checked.policy.has_value()) << row.label;
  if (!checked.policy) return Built::refused;
  return checked.policy->not_built.empty() ? Built::run : Built::evaluated;
}

std::string table_line(const Row& row) {
  std::string example;
  for (const char* c = row.example; *c != '\0'; ++c) example += *c == '|' ? std::string("\\|") : std::string(1, *c);
  const std::string begin = "| `" + example + "` | ";
  const Built how = built(row);
  if (how == Built::refused) return begin + "– | – | – | – |\n";
  if (how == Built::evaluated && row.where == Where::tests) return begin + "yes | | | |\n";
  if (how == Built::evaluated) return begin + "yes | – | – | – |\n";
  switch (row.where) {
    case Where::both:
      return begin + "yes | yes | yes | yes |\n";
    case Where::handler:
      return begin + "yes | yes | yes | sent by the handler |\n";
    case Where::passage:
      return begin + "yes | yes | yes | decided by the handler |\n";
    case Where::tunnel:
      return begin + "yes | yes | through a tunnel | decided by the handler |\n";
    case Where::connect:
      return begin + "yes | yes | | when a socket connects |\n";
    case Where::node:
      return begin + "yes | yes | says who and what is meant | |\n";
    case Where::normal:
      return begin + "yes | yes | yes | paths in normal form |\n";
    case Where::build:
      return begin + "| yes | | |\n";
    case Where::check:
      return begin + "by `heddle check` | | | |\n";
    case Where::tests:
      break;
  }
  return begin + "yes | in `heddle test` | | |\n";
}

std::string page() {
  std::string text = R"(# Every construct, and where it is executed

Made from the grammar by a test. What has four dashes is well formed and refused, with its place (`E0013`), by every command that needs its meaning; it is
never ignored. What has three is checked (with warning `W0603`) and evaluated by `heddle test` and `heddle explain`; `heddle build` and `heddle run`
refuse it (`E0602`). What has four times `yes` has the same outcome in the evaluator (`heddle test`, `heddle explain`), in the compiled function, in the
handler and on the fast path: `tests/differential` compares the first two, `tests/vectors` all four.

| construct | evaluated | compiled | in the handler | in the kernel |
|---|---|---|---|---|
)";
  for (const Row& row : rows()) text += table_line(row);
  return text;
}

std::string read(const std::string& path) {
  std::ifstream file(HEDDLE_SOURCE_DIR "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Constructs, AllOfTheGrammarHaveARow) {
  std::set<std::string> labels;
  for (const Row& row : rows()) EXPECT_TRUE(labels.insert(row.label).second) << row.label << " has two rows";
  const std::string grammar = read("grammar/MeshParser.g4");
  const std::regex label("# ([a-zA-Z]+)");
  std::size_t found = 0;
  for (auto at = std::sregex_iterator(grammar.begin(), grammar.end(), label); at != std::sregex_iterator(); ++at, ++found)
    EXPECT_TRUE(labels.contains((*at)[1])) << "the grammar's alternative " << (*at)[1] << " has no row";
  EXPECT_GT(found, 80u);
}

TEST(Constructs, ThePageSaysWhatIsSo) {
  const std::string made = page();
  if (std::getenv("HEDDLE_UPDATE_GOLDEN") != nullptr) std::ofstream(HEDDLE_SOURCE_DIR "/docs/constructs.md") << made;
  EXPECT_EQ(read("docs/constructs.md"), made) << "run this test once with HEDDLE_UPDATE_GOLDEN=1 and read what it wrote";
}

}  // namespace
}  // namespace heddle::frontend

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/model/address.h"
#include "compiler/model/changes.h"
#include "compiler/model/condition.h"
#include "compiler/model/retry.h"
#include "compiler/source/span.h"

/// The checked policy: every name resolved, every rule complete, nothing in it that a later stage may refuse
/// as the user's mistake. Order of all vectors is canonical (declarations by qualified name, rules and
/// endpoints in page order, files by path), so that equal policies give equal models whatever the order of
/// files.
namespace heddle::model {

using WorkloadId = std::uint32_t;
using ServiceId = std::uint32_t;

/// The path of a SPIFFE id below the trust domain, without leading slash; `*` is a run without `/`.
struct SpiffePattern {
  std::string trust_domain;
  std::string path;
  source::Span span;
};

/// A verified token of that issuer for that audience, on whose claims the condition holds.
struct Jwt {
  std::string issuer;
  std::string audience;
  std::string jwks;  // path of the key set
  std::optional<Condition> where;
};

/// A caller holds the identity if its SPIFFE id matches any of the patterns. A group (`web or batch`) has the
/// patterns of all its members.
struct Identity {
  std::string name;  // qualified: `payments.web`
  std::vector<SpiffePattern> patterns;
  std::optional<Jwt> jwt;  // of a user, not of a peer; then there are no patterns
  bool group = false;
  std::vector<IdentityId> members;  // groups: the identities named, nested groups flattened
  std::string doc;
  source::Span span;  // of the name
};

/// A local workload: the processes of a cgroup, and the one SPIFFE id that they have.
struct Workload {
  std::string name;
  std::string cgroup;  // relative to the cgroup root, without leading or trailing slash; may hold `*` (a run
                       // without `/`)
  IdentityId identity = 0;  // exactly one pattern, without `*`
  std::string doc;
  source::Span span;
  bool fast_path = true;  // false: its sockets stay out of the kernel's fast path
};

enum class Protocol : std::uint8_t { http, tcp, tls, http2, grpc };
/// `http`, as policies write it.
const char* protocol_name(Protocol protocol);
/// Whether each request is decided; else each connection is, once.
constexpr bool has_requests(Protocol protocol) {
  return protocol != Protocol::tcp && protocol != Protocol::tls;
}

/// `mtls`: a tunnel between agents, both ends authenticated. `tls`: mutual TLS straight to the endpoint's own port.
enum class Transport : std::uint8_t { plaintext, mtls, tls };
/// How ambiguous paths are treated (language reference, "Paths mean one thing").
enum class PathMode : std::uint8_t { strict, merge, decode };

struct Paths {
  PathMode mode = PathMode::strict;
  std::set<std::string> keep;  // strict: out of `%2F`, `%5C`, `;` and `\\`, plain bytes of a segment

  friend auto operator<=>(const Paths&, const Paths&) = default;
};

/// `strict keep "%2F"`.
std::string paths_text(const Paths& paths);

enum class Balance : std::uint8_t { round_robin, random, least_request, maglev };
const char* balance_name(Balance balance);

struct Endpoint {
  SocketAddress address;
  std::map<std::string, std::string> labels;
  source::Span span;
  std::uint32_t weight = 1;
};

struct Subset {
  std::string name;
  std::map<std::string, std::string> where;  // all labels must be equal
  std::vector<std::uint32_t> endpoints;      // indexes into Service::endpoints, in their order; may be empty
  source::Span span;
};

/// All endpoints of a service (`subset` empty) or those of one of its subsets.
struct PoolTarget {
  ServiceId service = 0;                // the route's own, or another
  std::optional<std::uint32_t> subset;  // index into Service::subsets
};

/// What a redirect changes of the request's URI; what is empty or 0 is not said.
struct Redirect {
  bool https = false;      // else the scheme stays `http`
  std::string host;        // without port
  std::uint16_t port = 0;  // not said: with `host` or `https` none, else the request's
  std::string path;        // the whole path; or, where `prefix` is said, what stands for it: without slash at its end, but `/`
  std::string prefix;      // whole segments, without slash at its end, but `/`; every path that gets here is under it
};

/// The type of a body if the policy says no other.
inline constexpr const char* plain_text = "text/plain; charset=utf-8";

/// What the mesh answers itself.
struct Respond {
  std::uint16_t status = 200;
  std::string body;
  std::string type = {};                  // of the body; empty: plain_text
  std::optional<Redirect> redirect = {};  // then there is a `location`, and no body
};

struct SplitPart {
  std::uint32_t weight_ppm = 0;  // parts of 1,000,000; the parts of a split add up to exactly that
  PoolTarget pool;
  std::optional<Respond> respond = {};  // the mesh answers; none: to the pool
  Changes changes = {};                 // on top of the rule's
};

/// What equal requests have in common: a part of the request, or the client's address.
struct RequestKey {
  Attribute attribute = Attribute::address;  // a part of the request, `address`, or `from`: the caller's identity
  std::string name;                          // of a header (in lower case), query parameter or cookie
  std::vector<std::string> claim = {};       // the path of a claim

  friend bool operator==(const RequestKey&, const RequestKey&) = default;
};

/// `header "x-user"`, `address`.
std::string key_text(const RequestKey& key);

/// The path of a claim in one text: `a" "b`.
std::string claim_text(const std::vector<std::string>& path);

struct Target {
  enum class Kind : std::uint8_t { pool, split, respond };
  Kind kind = Kind::pool;
  PoolTarget pool;
  std::vector<SplitPart> split;
  std::optional<RequestKey> by;  // of a split: equal values take the same part; none: each request draws
  Respond respond;
  source::Span span;

  /// All that the mesh may answer by this target, in page order.
  [[nodiscard]] std::vector<const Respond*> answers() const;
};

/// A copy of the request goes there as well; nobody waits for what comes back.
struct Mirror {
  PoolTarget pool;
  std::uint32_t share_ppm = 1000000;
};

/// A rule of a route. The last rule of every route is its `otherwise`: no condition, ordinal `otherwise`.
struct RouteRule {
  std::string id;  // `route reviews/3`, `payments.route cart/otherwise`
  std::optional<Condition> when;
  Target target;
  source::Span span;
  std::uint32_t timeout_ms = 0;  // from the complete head to the last byte of the response; 0: none
  std::optional<source::Span> require_kernel = std::nullopt;  // where that was said
  std::uint32_t per_try_ms = 0;              // for the first byte of the response; 0: none
  std::optional<std::uint32_t> retry = {};   // index into Policy::retries
  bool upgrade_websocket = false;
  Changes changes = {};
  std::vector<Mirror> mirrors = {};
  std::optional<Fault> fault = {};
  std::optional<Cors> cors = {};
};

enum class Effect : std::uint8_t { allow, deny };

struct AccessRule {
  std::string id;  // `access reviews/1`
  Effect effect = Effect::allow;
  Callers from;
  std::optional<Condition> when;
  source::Span span;
  std::optional<source::Span> require_kernel = std::nullopt;
};

struct Route {
  std::vector<RouteRule> rules;
  source::Span span;
};

struct Access {
  std::vector<AccessRule> rules;
  std::vector<AccessRule> audits;  // they are counted and decide nothing
  bool only_of_every = false;      // the service has no block of its own: the rules are those of `access every`
  source::Span span;
};

/// An endpoint that failed so many times in a row is not chosen for a while.
struct Eject {
  std::uint32_t failures = 0;
  std::uint32_t time_ms = 0;
  std::uint32_t share_ppm = 1000000;  // of the service's endpoints that may be ejected at a time; never all
};

/// Bounds of one endpoint on one node.
struct AtMost {
  std::uint32_t connections = 0;
  std::uint32_t pending = 0;  // requests that wait for a connection; 0: none waits
};

/// How many requests a service takes: on average `count` in each period, `burst` at one instant. Requests whose keys are
/// equal share one account.
struct Limit {
  std::string id;  // `limit reviews/burst_per_user`
  std::optional<Condition> when;
  std::uint32_t count = 0;
  std::uint64_t period_ns = 0;
  std::uint32_t burst = 0;
  std::vector<RequestKey> key;  // empty: all requests share one
  source::Span span;
};

struct Service {
  std::string name;  // qualified
  std::vector<SocketAddress> addresses;
  Protocol protocol = Protocol::http;
  Transport transport = Transport::plaintext;
  bool or_plaintext = false;  // `transport mtls or plaintext`: both are accepted
  std::optional<IdentityId> identity;
  Balance balance = Balance::round_robin;
  std::vector<Subset> subsets;
  std::vector<Endpoint> endpoints;
  std::optional<Route> route;
  std::optional<Access> access;  // none: everything is denied by `access <service>/default`
  std::optional<Access> audit;   // what it would deny is counted
  std::string doc;
  source::Span span;
  std::optional<Eject> eject;
  std::optional<AtMost> at_most;
  std::vector<Limit> limits;  // by id
  Paths paths;
  std::optional<RequestKey> maglev_by;  // of `maglev`: equal values go to the same endpoint
  std::string prefer;  // label: endpoints with the agent's own value of it come first; `node`, `zone`, or none
};

/// `mtls`, `mtls or plaintext`.
std::string transport_text(const Service& service);

/// `maglev by header "x-user"`, `prefer same_zone random`.
std::string balance_text(const Service& service);

/// Who sends a request in a `test` block.
struct TestCaller {
  enum class Kind : std::uint8_t { unauthenticated, identity, spiffe };
  Kind kind = Kind::unauthenticated;
  IdentityId identity = 0;  // a group holds for every member
  std::vector<IdentityId> via = {};  // of a user: each of these peers, and each member of them
  std::string spiffe;       // full `spiffe://` id
};

/// A claim of the token that is sent; equal paths make a list.
struct TestClaim {
  std::vector<std::string> path;
  std::string value;
};

struct TestHeader {
  std::string name;
  std::string value;
};

/// `send …` of a test block or of `explain --send`.
struct TestRequest {
  bool connect = false;  // `connect to <service>` of a tcp or tls service: no method, target, host, headers
  std::string method;
  std::string target;  // byte for byte, query included
  ServiceId service = 0;
  std::optional<std::uint16_t> port;
  TestCaller from;
  std::optional<IpAddress> address;  // `at`
  std::uint32_t times = 1;
  std::vector<TestHeader> headers;
  std::optional<std::string> host;  // else the service's name
  std::vector<TestClaim> claims = {};
  std::optional<std::string> sni = {};  // tls: the name of the server that the client asks for
  source::Span span;
};

struct Expectation {
  enum class Kind : std::uint8_t {
    allowed, denied, refused, limited, route, status, rule, timeout, response_header, retries, tier, path, host, header, mirror
  };
  Kind kind = Kind::allowed;
  std::uint16_t status = 0;  // refused, status
  std::vector<std::string>
      targets;       // route: any of these, a subset's or the service's name (of a split: any of its parts)
  std::string rule;  // rule
  source::Span span;
  std::uint32_t timeout_ms = 0;  // timeout; 0: none
  std::string header;            // header, response_header: its name in lower case
  std::optional<std::string> value = {};  // none: `absent`
  std::string text = {};                  // path, host, and tier: `kernel`, `handler`, `connect`
  std::uint32_t retries = 0;
};

struct TestCase {
  TestRequest send;
  std::vector<Expectation> expect;
};

struct TestBlock {
  std::string name;
  std::vector<TestCase> cases;
  source::Span span;
};

/// A condition in BPF C: `extern geo from "geo.bpf.c"`.
struct Filter {
  std::string name;  // qualified
  std::string path;  // of its text, as it is written: relative to the file that declares it
  std::string doc;
  source::Span span;       // of the name
  source::Span path_span;
  std::optional<source::FileId> text = std::nullopt;  // once it was read
};

enum class Outside : std::uint8_t { allow, deny };

/// What the policy says, what is checked and evaluated, and cannot be run by this version.
struct NotBuilt {
  std::string what;  // as it is written: `transport mtls`
  source::Span span;
};

struct Policy {
  std::string name;  // of the mesh
  std::string trust_domain;
  std::string trust_domain_alias;  // accepted as well; empty: none
  Outside outside = Outside::allow;  // what governs connections of workloads to addresses of no service
  std::vector<Identity> identities;
  std::vector<Workload> workloads;
  std::vector<Service> services;
  std::vector<RetryPolicy> retries;
  std::uint32_t amplification = 9;  // the most tries that one request may come to along a chain of services
  std::vector<TestBlock> tests;
  std::vector<NotBuilt> not_built;  // in page order; empty: all of it can be run
  std::vector<Filter> filters;
};

/// Ids of rules that no policy text holds.
inline constexpr const char* rule_malformed = "mesh/malformed";
inline constexpr const char* rule_path = "mesh/path";
inline constexpr const char* rule_outside = "mesh/outside";

/// `access <service>/default`, `route <service>/otherwise`, `service <service>/unhealthy|full|timeout`. For a
/// service in a space the kind's text is preceded by the space: `payments.access cart/default`.
std::string rule_id(const std::string& kind, const std::string& qualified_service, const std::string& label);

/// The service has an audited block and no other of its own: what no rule decides is allowed.
bool is_on_trial(const Service& service);

/// The other services whose endpoints a service's route may send to, ascending; their `access` is judged, too.
std::vector<ServiceId> other_targets(const Policy& policy, ServiceId service);

/// Whether a verified token may make somebody the identity, or a member of the group.
bool has_user(const Policy& policy, IdentityId id);

const Service* find_service(const Policy& policy, const std::string& qualified_name);
const Identity* find_identity(const Policy& policy, const std::string& qualified_name);

}  // namespace heddle::model

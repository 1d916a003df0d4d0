#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/ast/condition.h"
#include "compiler/ast/node.h"

namespace heddle::ast {

/// What every declaration has. `broken`: a syntax error lies in it, so that what is missing may have been
/// meant.
struct Declaration {
  std::string doc;
  Span keyword;  // `service`
  Span span;     // from the keyword to the closing brace
  bool broken = false;
};

// Every list of optional items holds all that were written; that there is at most one is checked later.

enum class OutsideMode : std::uint8_t { allow, deny };
struct Outside {
  OutsideMode mode = OutsideMode::allow;
  Span span;
};

/// `paths strict keep "%2F"`.
struct Paths {
  enum class Mode : std::uint8_t { strict, merge, decode };
  Mode mode = Mode::strict;
  std::vector<String> keep;
  Span span;
};

struct Mesh : Declaration {
  Name name;
  std::vector<String> trust_domains;
  std::vector<String> aliases;  // of the trust domain
  std::vector<Outside> outside;
  std::vector<Paths> paths;
  std::vector<Number> amplifications;
};

/// `jwt issuer "…" audience "…" jwks "…" where claim "roles" has "admin"`.
struct Jwt {
  std::vector<String> issuers;
  std::vector<String> audiences;
  std::vector<String> jwks;
  std::optional<Condition> where;
  Span span;
};

struct Identity : Declaration {
  Name name;
  std::optional<String> spiffe;
  std::optional<Jwt> jwt;
  std::vector<QualifiedName> members;  // of a group
};

/// A word out of a closed set: `http`, `plaintext`, `round_robin`.
struct Choice {
  std::string word;
  Span span;
};

struct Workload : Declaration {
  Name name;
  std::vector<String> cgroups;
  std::vector<QualifiedName> identities;
  std::vector<Choice> fast_paths;  // `on`, `off`
};

/// `10.0.0.1:80`, not yet looked at.
struct Address {
  std::string text;
  Span span;
};

/// `version "v1"` of an endpoint, `version is "v1"` of a subset.
struct LabelValue {
  Name label;
  String value;
};

struct Endpoint {
  Address address;
  std::vector<LabelValue> labels;
  std::vector<Number> weights;
  Span span;
};

struct Subset {
  Name name;
  std::vector<LabelValue> where;
  Span span;
};

/// `timeout 2s`, `timeout none`.
struct Timeout {
  std::optional<Number> time;  // none: `none`
  Span span;
};

/// `per_try 250ms`.
struct PerTry {
  Number time;
  Span span;
};

/// `eject after 5 failures for 30s at_most 50%`.
struct Eject {
  Number failures;
  Number time;
  std::optional<Number> share;
  Span span;
};

/// `1024 connections` or `256 pending`.
struct Capacity {
  Number number;
  bool pending = false;
  Span span;
};

struct AtMost {
  std::vector<Capacity> capacities;
  Span span;
};

/// `header "x"`, `address`: what requests may have in common.
struct RequestKey {
  Attribute attribute = Attribute::address;  // `from` is written `identity`
  std::optional<String> name;
  std::vector<String> claim;
  Span span;
};

/// `random`, `maglev by header "x"`, `prefer same_zone random`.
struct Balance {
  std::optional<Choice> prefer;  // `same_node`, `same_zone`
  std::string word;
  std::optional<RequestKey> by;  // of `maglev`
  Span span;
};

/// `transport mtls or plaintext`.
struct Transport {
  Choice first;
  std::optional<Choice> second;
  Span span;
};

struct Service : Declaration {
  Name name;
  std::vector<Address> addresses;
  std::vector<Choice> protocols;
  std::vector<Transport> transports;
  std::vector<QualifiedName> identities;
  std::vector<Subset> subsets;
  std::vector<Balance> balances;
  std::vector<Eject> ejects;
  std::vector<AtMost> at_mosts;
  std::vector<Paths> paths;
  std::vector<Endpoint> endpoints;
};

struct Endpoints : Declaration {
  QualifiedName service;
  std::vector<Endpoint> endpoints;
};

/// `prefix "/a" to "/b"`.
struct PrefixChange {
  String from;
  String to;
  Span span;
};

/// What `redirect` says of the location. Every list holds all that were written.
struct Redirect {
  std::vector<String> schemes;
  std::vector<String> hosts;
  std::vector<Number> ports;
  std::vector<String> paths;
  std::vector<PrefixChange> prefixes;
};

/// What the mesh answers itself: `respond`, or `redirect`.
struct Respond {
  Number status;
  std::optional<String> body;
  std::optional<String> type;
  std::optional<Redirect> redirect;
  Span span;
};

/// `require kernel`: whoever decides it elsewhere is an error.
using RequireKernel = std::vector<Span>;

/// `retry gentle`, `retry none`.
struct RetryUse {
  std::optional<QualifiedName> name;  // none: `none`
  Span span;
};

/// `rewrite path "/a" to "/b"`, `rewrite path like "/a/{x}" to "/b/{x}"`, `rewrite path to "/x"`, `rewrite host to "h"`.
struct Rewrite {
  enum class Kind : std::uint8_t { prefix, like, path, host };
  Kind kind = Kind::path;
  String from;  // prefix, like
  String to;
  Span span;
};

/// `set header "n" "v"`, `add response header "n" identity`, `remove header "n"`.
struct HeaderChange {
  enum class Action : std::uint8_t { set, add, remove };
  enum class Value : std::uint8_t { text, identity, address, claim };
  Action action = Action::set;
  bool response = false;
  String name;
  Value value = Value::text;
  std::optional<String> text;
  std::vector<String> claim;  // its path
  Span value_span;
  Span span;
};

/// `fault delay 2s 10%`, `fault abort 503 1%`.
struct Fault {
  bool abort = false;
  Number what;  // time or status
  Number share;
  Span span;
};

/// An element of one of the lists of `cors`.
struct CorsItem {
  enum class Kind : std::uint8_t { text, regex, word };
  Kind kind = Kind::text;
  String text;  // of an expression what stands between the slashes
};

struct CorsList {
  std::vector<CorsItem> items;
  Span span;
};

struct Cors {
  std::vector<CorsList> origins;
  std::vector<CorsList> methods;
  std::vector<CorsList> headers;
  std::vector<CorsList> expose;
  std::vector<Span> credentials;
  std::vector<Number> max_ages;
  Span span;
};

struct Mirror;

/// What stands in braces behind a target or an access rule. Every list holds all that were written.
struct Options {
  std::vector<String> labels;
  std::vector<Timeout> timeouts;
  std::vector<PerTry> per_tries;
  std::vector<RetryUse> retries;
  std::vector<Span> upgrades;
  RequireKernel require_kernel;
  std::vector<Rewrite> rewrites;
  std::vector<HeaderChange> headers;
  std::vector<Mirror> mirrors;
  std::vector<Fault> faults;
  std::vector<Cors> cors;
};

struct SplitPart {
  Number weight;
  QualifiedName pool;
  std::optional<Respond> respond;  // instead of a pool
  Options options;
  Span span;
};

struct Target {
  enum class Kind : std::uint8_t { pool, split, respond };
  Kind kind = Kind::pool;
  QualifiedName pool;
  std::vector<SplitPart> parts;
  std::optional<RequestKey> by;  // of a split
  Respond respond;
  Span span;
};

/// `mirror v2 5%`.
struct Mirror {
  Target target;
  std::optional<Number> share;
  Span span;
};

struct RouteRule {
  bool otherwise = false;
  std::optional<Condition> when;
  Target target;
  Options options;
  Span span;
  Span keyword;
};

struct Route : Declaration {
  QualifiedName service;
  RequireKernel require_kernel;  // of all its rules
  std::vector<Timeout> timeouts;
  std::vector<PerTry> per_tries;
  std::vector<RetryUse> retries;
  std::vector<RouteRule> rules;
};

struct AccessRule {
  bool deny = false;
  bool audit = false;  // it decides nothing
  Callers from;
  std::optional<Condition> when;
  Options options;
  Span span;
};

struct Access : Declaration {
  QualifiedName service;
  bool audit = false;  // it decides nothing
  std::vector<AccessRule> rules;
};

/// `access every http service { … }`: a part of every such service's block.
struct AccessEvery : Declaration {
  bool http = false;
  Span subject;  // `access every http service`
  std::vector<AccessRule> rules;
};

/// One of what `on` lists.
struct RetryCondition {
  enum class Kind : std::uint8_t { connect_failure, refused, reset, timeout, status, grpc };
  Kind kind = Kind::reset;
  Number first;                // status
  std::optional<Number> last;  // of a range of them
  Name code;                   // grpc
  Span span;
};

struct RetryOn {
  std::vector<RetryCondition> conditions;
  Span span;
};

/// `backoff 25ms..250ms`.
struct Backoff {
  Number first;
  Number most;
  Span span;
};

/// `budget 20% of requests at_least 3/s`.
struct Budget {
  Number share;
  std::optional<Number> at_least;
  Span span;
};

struct RetryPolicy : Declaration {
  Name name;
  std::vector<RetryOn> on;
  std::vector<Number> at_mosts;
  std::vector<PerTry> per_tries;
  std::vector<Backoff> backoffs;
  std::vector<Budget> budgets;
  std::vector<Choice> methods;  // `idempotent`, `any`
  std::vector<Number> buffers;
};

struct Rate {
  Number rate;  // `100/s`
  Number burst;
  Span span;
};

struct LimitKey {
  std::vector<RequestKey> parts;
  Span span;
};

struct Limit : Declaration {
  Name name;
  QualifiedName service;
  std::vector<Condition> whens;
  std::vector<Rate> rates;
  std::vector<LimitKey> keys;
  std::vector<Span> scopes;
  std::vector<Span> mesh_scopes;  // `scope mesh`, also among the scopes
};

struct Sender {
  enum class Kind : std::uint8_t { unauthenticated, identity, spiffe };
  Kind kind = Kind::unauthenticated;
  QualifiedName identity;
  std::vector<QualifiedName> via;
  String spiffe;
  Span span;
};

/// `with claim "a" "b" "v"`: of the claim `b` in the claim `a`.
struct RequestClaim {
  std::vector<String> path;
  String value;
};

struct RequestHeader {
  String name;
  String value;
};

/// `GET "/x" to reviews from web …` or `connect to cache …`.
struct Request {
  bool connect = false;
  Name method;
  String target;
  QualifiedName service;
  std::vector<Number> ports;
  std::vector<Sender> senders;
  std::vector<Address> sources;  // `at`, without port
  std::vector<Number> times;
  std::vector<RequestHeader> headers;
  std::vector<String> hosts;
  std::vector<RequestClaim> claims;
  std::vector<String> snis;
  Span span;
};

struct Expectation {
  enum class Kind : std::uint8_t {
    allowed, denied, refused, limited, route, status, rule, timeout, response_header, retries, tier, path, host, header, mirror
  };
  Kind kind = Kind::allowed;
  Number status;  // or a number of retries
  Choice tier;
  String text;  // path, host
  std::vector<QualifiedName> targets;
  String rule;
  Timeout timeout;
  String header;
  std::optional<String> value;  // of the header; none: `absent`
  Span span;
};

struct TestCase {
  Request send;
  std::vector<Expectation> expect;
};

/// `extern geo from "geo.bpf.c"`.
struct Filter : Declaration {
  Name name;
  String path;
};

struct TestBlock : Declaration {
  String name;
  std::vector<TestCase> cases;
  std::vector<Span> stray_expectations;  // before the first request
};

using AnyDeclaration =
    std::variant<Mesh, Identity, Workload, Service, Endpoints, RetryPolicy, Route, Access, AccessEvery, Limit, TestBlock, Filter>;

/// One file. `lost_declarations`: a syntax error took at least one whole declaration, so that names may be
/// missing.
struct File {
  source::FileId id = 0;
  std::optional<Name> space;
  std::vector<AnyDeclaration> declarations;
  std::vector<Unsupported> unsupported;
  bool lost_declarations = false;
};

}  // namespace heddle::ast

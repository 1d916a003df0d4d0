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
};

struct Identity : Declaration {
  Name name;
  std::optional<String> spiffe;
  std::vector<QualifiedName> members;  // of a group
  bool unsupported = false;
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
  Span span;
};

/// `random`, `maglev by header "x"`, `prefer same_zone random`.
struct Balance {
  std::optional<Choice> prefer;  // `same_node`, `same_zone`
  std::string word;
  std::optional<RequestKey> by;  // of `maglev`
  Span span;
};

struct Service : Declaration {
  Name name;
  std::vector<Address> addresses;
  std::vector<Choice> protocols;
  std::vector<Choice> transports;
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

struct SplitPart {
  Number weight;
  QualifiedName pool;
  std::optional<Respond> respond;  // instead of a pool
  bool unsupported = false;        // an option of it
  std::vector<Timeout> timeouts;
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

/// `require kernel`: whoever decides it elsewhere is an error.
using RequireKernel = std::vector<Span>;

struct RouteRule {
  bool otherwise = false;
  std::optional<Condition> when;
  Target target;
  std::vector<String> labels;
  std::vector<Timeout> timeouts;
  RequireKernel require_kernel;
  Span span;
  Span keyword;
};

struct Route : Declaration {
  QualifiedName service;
  RequireKernel require_kernel;  // of all its rules
  std::vector<Timeout> timeouts;
  std::vector<RouteRule> rules;
};

struct AccessRule {
  bool deny = false;
  bool audit = false;  // it decides nothing
  Callers from;
  std::optional<Condition> when;
  std::vector<String> labels;
  std::vector<Timeout> timeouts;
  RequireKernel require_kernel;
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
  bool supported = true;
};

struct Sender {
  enum class Kind : std::uint8_t { unauthenticated, identity, spiffe };
  Kind kind = Kind::unauthenticated;
  QualifiedName identity;
  String spiffe;
  Span span;
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
  bool unsupported = false;
  Span span;
};

struct Expectation {
  enum class Kind : std::uint8_t { allowed, denied, refused, limited, route, status, rule, timeout, response_header };
  Kind kind = Kind::allowed;
  Number status;
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

using AnyDeclaration = std::variant<Mesh, Identity, Workload, Service, Endpoints, Route, Access, AccessEvery, Limit, TestBlock, Filter>;

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

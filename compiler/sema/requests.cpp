#include "compiler/sema/requests.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/changes.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/owner.h"
#include "compiler/sema/spiffe.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr std::uint32_t most_times = 1000000;

/// The declaration of a name in its space, then in the root.
template <typename Declaration>
const Declaration* find_in(const std::vector<Declaration>& all, const ast::QualifiedName& name,
                           const std::string& space) {
  const auto at = [&](const std::string& wanted) -> const Declaration* {
    const auto found =
        std::lower_bound(all.begin(), all.end(), wanted,
                         [](const Declaration& d, const std::string& text) { return d.name < text; });
    return found != all.end() && found->name == wanted ? &*found : nullptr;
  };
  if (name.space.empty() && !space.empty()) {
    if (const auto* own = at(space + "." + name.name)) return own;
  }
  return at(name.text());
}

template <typename Declaration>
std::vector<std::string> names_of(const std::vector<Declaration>& all) {
  std::vector<std::string> names;
  for (const Declaration& declaration : all) names.push_back(declaration.name);
  return names;
}

bool has_pattern(const model::Identity& identity) {
  return std::any_of(identity.patterns.begin(), identity.patterns.end(),
                     [](const model::SpiffePattern& p) { return p.path.find('*') != std::string::npos; });
}

class RequestChecker {
 public:
  RequestChecker(const RequestScope& scope, const ast::Request& written) : scope_(scope), written_(written) {}

  std::optional<model::TestRequest> check() {
    result_.connect = written_.connect;
    result_.span = written_.span;
    find_service();
    if (service_ != nullptr) check_protocol();
    if (!written_.connect) check_head();
    check_parts();
    if (!right_) return std::nullopt;
    return std::move(result_);
  }

 private:
  diagnostics::Diagnostic& fail(diagnostics::Diagnostic diagnostic) {
    right_ = false;
    return scope_.sink.report(std::move(diagnostic));
  }

  void find_service() {
    service_ = find_in(scope_.policy.services, written_.service, scope_.space);
    if (service_ != nullptr) {
      result_.service = static_cast<model::ServiceId>(service_ - scope_.policy.services.data());
      return;
    }
    right_ = false;
    if (!scope_.names_may_be_missing)
      report_unknown_service(scope_.sink, written_.service, names_of(scope_.policy.services));
  }

  void check_protocol() {
    const bool is_tcp = !model::has_requests(service_->protocol);
    if (is_tcp == written_.connect) return;
    auto& diagnostic = fail(kinds::wrong_request(written_.connect ? written_.span : written_.method.span,
                                                 written_.connect ? "connect" : written_.method.text,
                                                 service_->name, model::protocol_name(service_->protocol)));
    diagnostic.with_help(
        is_tcp ? "a connection is tested by `connect to " + written_.service.text() + " from …`"
               : "a request is tested by `send GET \"/\" to " + written_.service.text() + " from …`");
  }

  void check_head() {
    result_.method = written_.method.text;
    result_.target = written_.target.value;
    if (result_.target.empty()) fail(kinds::cannot_be_sent(written_.target.span, "", "the target is empty"));
    check_line(written_.target, "a request line is one line");
  }

  /// Line breaks would make several lines of one.
  void check_line(const ast::String& text, const char* why) {
    const bool breaks =
        std::any_of(text.value.begin(), text.value.end(), [](char c) { return c == '\r' || c == '\n'; });
    if (breaks) fail(kinds::cannot_be_sent(text.span, text.value, why));
  }

  void check_parts() {
    check_port();
    check_sender();
    if (const auto* source = single(written_.sources, "at")) check_source(*source);
    if (const auto* times = single(written_.times, "times")) {
      result_.times = number_in(scope_.sink, *times, "the number of requests", 1, most_times).value_or(0);
      right_ = right_ && result_.times > 0;
    }
    if (const auto* host = single(written_.hosts, "with host")) {
      check_line(*host, "a header is one line");
      result_.host = host->value;
      refuse_on_connect(host->span, "with host");
    }
    for (const ast::RequestHeader& header : written_.headers) check_header(header);
    for (const ast::RequestClaim& claim : written_.claims) check_claim(claim);
    if (const auto* sni = single(written_.snis, "with sni")) check_sni(*sni);
  }

  /// The one item of what may be written once.
  template <typename Item>
  const Item* single(const std::vector<Item>& items, const char* what) {
    for (std::size_t i = 1; i < items.size(); ++i) {
      fail(kinds::duplicate_item(items[i].span, what)).with_label(items[0].span, "here for the first time");
    }
    return items.empty() ? nullptr : &items.front();
  }

  void check_port() {
    const auto* port = single(written_.ports, "port");
    if (port == nullptr) return;
    const auto number = number_in(scope_.sink, *port, "a port", 1, 65535);
    right_ = right_ && number.has_value();
    if (!number || service_ == nullptr) return;
    result_.port = static_cast<std::uint16_t>(*number);
    const auto& addresses = service_->addresses;
    const bool known =
        std::any_of(addresses.begin(), addresses.end(), [&](const auto& a) { return a.port == *number; });
    if (!known) fail(kinds::unknown_port(port->span, service_->name, port->text));
  }

  void check_sender() {
    const auto* sender = single(written_.senders, "from");
    if (sender == nullptr || sender->kind == ast::Sender::Kind::unauthenticated) return;
    if (sender->kind == ast::Sender::Kind::spiffe) return check_spiffe(sender->spiffe);
    const auto& all = scope_.policy.identities;
    const model::Identity* identity = find_in(all, sender->identity, scope_.space);
    if (identity == nullptr) {
      right_ = false;
      if (!scope_.names_may_be_missing) report_unknown_identity(sender->identity);
      return;
    }
    result_.from.kind = model::TestCaller::Kind::identity;
    result_.from.identity = static_cast<model::IdentityId>(identity - all.data());
    check_one(*identity, sender->identity);
    if (model::has_user(scope_.policy, result_.from.identity)) refuse_on_connect(sender->identity.span, "from a user");
    if (!sender->via.empty() && (!model::has_user(scope_.policy, result_.from.identity) || !identity->patterns.empty())) {
      fail(kinds::bad_via(sender->identity.span, sender->identity.text(), "in front of", identity->group ? "not all its members are users" : "it is a peer's"))
          .with_help("users ask through peers: `from admin via web`");
    }
    for (const ast::QualifiedName& via : sender->via) check_peer(via);
  }

  void check_peer(const ast::QualifiedName& name) {
    const auto& all = scope_.policy.identities;
    const model::Identity* peer = find_in(all, name, scope_.space);
    if (peer == nullptr) {
      right_ = false;
      if (!scope_.names_may_be_missing) report_unknown_identity(name);
      return;
    }
    const auto id = static_cast<model::IdentityId>(peer - all.data());
    if (model::has_user(scope_.policy, id)) fail(kinds::bad_via(name.span, name.text(), "behind", "it is a user's"));
    check_one(*peer, name);
    result_.from.via.push_back(id);
  }

  /// One caller sends one request.
  void check_one(const model::Identity& identity, const ast::QualifiedName& name) {
    if (!has_pattern(identity)) return;
    fail(kinds::pattern_sends_nothing(name.span, name.text()))
        .with_label(identity.span, "it has a `*`")
        .with_help("name one caller that it fits: `from spiffe \"spiffe://" + scope_.policy.trust_domain +
                   "/…\"`");
  }

  /// Claims are those of a token, and a token is a user's.
  void check_claim(const ast::RequestClaim& claim) {
    const auto path = check_claim_path(scope_.sink, claim.path);
    right_ = right_ && path;
    if (!path) return;
    refuse_on_connect(claim.path.front().span, "with claim");
    const bool user = result_.from.kind == model::TestCaller::Kind::identity && model::has_user(scope_.policy, result_.from.identity);
    if (!user && right_) {
      fail(kinds::claims_without_user(claim.path.front().span))
          .with_help("a claim is one of a token: say `from` an identity that is `jwt`");
    }
    if (path->front() == "iss" || path->front() == "aud")
      fail(kinds::cannot_be_sent(claim.path.front().span, path->front(), "the identity says it"));
    for (const model::TestClaim& other : result_.claims) {
      const std::size_t common = std::min(other.path.size(), path->size());
      const bool inside = other.path.size() != path->size() && std::equal(path->begin(), path->begin() + static_cast<std::ptrdiff_t>(common), other.path.begin());
      if (inside) fail(kinds::cannot_be_sent(claim.path.front().span, path->front(), "a claim is a value or has claims in it, not both"));
    }
    result_.claims.push_back({*path, claim.value.value});
  }

  void report_unknown_identity(const ast::QualifiedName& name) {
    auto& diagnostic = scope_.sink.report(kinds::unknown_identity(name.span, name.text()));
    const auto meant = diagnostics::did_you_mean(name.text(), names_of(scope_.policy.identities));
    if (meant) diagnostic.with_help(*meant);
  }

  void check_spiffe(const ast::String& text) {
    const SpiffeText spiffe = read_spiffe(text.value, scope_.policy.trust_domain, false);
    if (spiffe.wrong != nullptr) {
      fail(kinds::bad_spiffe(text.span, text.value, spiffe.wrong));
      return;
    }
    result_.from.kind = model::TestCaller::Kind::spiffe;
    result_.from.spiffe = "spiffe://" + spiffe.trust_domain + "/" + spiffe.path;
  }

  void check_source(const ast::Address& source) {
    model::IpAddress ip;
    if (model::parse_ip(source.text, ip)) {
      result_.address = ip;
    } else {
      fail(kinds::bad_address(source.span, source.text, "the IP address is malformed"));
    }
  }

  void check_header(const ast::RequestHeader& header) {
    if (!is_token(header.name.value)) fail(kinds::bad_header_name(header.name.span, header.name.value));
    check_line(header.value, "a header is one line");
    refuse_on_connect(header.name.span, "with header");
    result_.headers.push_back({header.name.value, header.value.value});
  }

  void check_sni(const ast::String& sni) {
    result_.sni = sni.value;
    if (service_ == nullptr || service_->protocol == model::Protocol::tls) return;
    fail(kinds::only_on_tls(sni.span, "with sni", service_->name, model::protocol_name(service_->protocol)))
        .with_help(written_.connect ? "to a tcp service a client just connects" : "a request is sent `with host`");
  }

  void refuse_on_connect(source::Span span, const char* what) {
    if (!written_.connect || service_ == nullptr) return;
    fail(kinds::not_on_tcp(span, what, service_->name, model::protocol_name(service_->protocol)));
  }

  const RequestScope& scope_;
  const ast::Request& written_;
  const model::Service* service_ = nullptr;
  model::TestRequest result_;
  bool right_ = true;
};

}  // namespace

std::optional<model::TestRequest> check_request(const RequestScope& scope, const ast::Request& request) {
  return RequestChecker(scope, request).check();
}

}  // namespace heddle::sema

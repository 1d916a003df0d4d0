#include <algorithm>
#include <map>
#include <set>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/capacity.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/owner.h"
#include "compiler/sema/paths.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

/// Who has an address, and where that was said.
struct Claim {
  model::ServiceId service = 0;
  source::Span span;
};
using Claims = std::map<model::SocketAddress, Claim>;

class Services {
 public:
  explicit Services(Analysis& analysis) : analysis_(analysis) {}

  void add(const std::string& name, const Table<ast::Service>::Entry& entry) {
    const ast::Service& node = *entry.node;
    model::Service service;
    service.name = name;
    service.doc = node.doc;
    service.span = node.name.span;
    add_choices(node, service);
    const auto* identity =
        only(analysis_, node.identities, "identity", [](const ast::QualifiedName& n) { return n.span; });
    if (identity != nullptr) service.identity = resolve_identity(analysis_, *identity, entry.space);
    if (service.identity && model::has_user(analysis_.policy, *service.identity))
      analysis_.report(kinds::user_of_service(identity->span, identity->text()))
          .with_help("the endpoints of a service have a `spiffe` identity");
    require(analysis_, node, node.name, "service", "address", !node.addresses.empty());
    analysis_.policy.services.push_back(std::move(service));
  }

  /// Addresses and endpoints in page order, whoever claims them first.
  void add_places(const ast::File& file) {
    for (const ast::AnyDeclaration& any : file.declarations) {
      if (const auto* service = std::get_if<ast::Service>(&any)) add_own_places(*service, space_of(file));
      if (const auto* block = std::get_if<ast::Endpoints>(&any)) add_block(*block, space_of(file));
    }
  }

  /// Addresses against endpoints: equal is right within one service only.
  void compare_claims() {
    for (const auto& [address, claim] : addresses_) {
      const auto endpoint = endpoints_.find(address);
      if (endpoint == endpoints_.end() || endpoint->second.service == claim.service) continue;
      report_taken(address, claim, endpoint->second);
    }
  }

  void add_subsets(const Table<ast::Service>::Entry& entry) {
    model::Service& service = analysis_.policy.services[entry.id];
    std::map<std::string, source::Span> names;
    for (const ast::Subset& node : entry.node->subsets) {
      const auto [first, is_new] = names.try_emplace(node.name.text, node.name.span);
      if (!is_new) {
        analysis_.report(kinds::duplicate_name(node.name.span, "subset", node.name.text))
            .with_label(first->second, "the first one");
        continue;
      }
      if (node.name.text == entry.node->name.text) {
        analysis_.report(kinds::subset_like_service(node.name.span, node.name.text))
            .with_label(entry.node->name.span, "as a target this name means all endpoints");
      }
      service.subsets.push_back(make_subset(node, service));
    }
  }

 private:
  void add_choices(const ast::Service& node, model::Service& service) {
    const auto place = [](const ast::Choice& c) { return c.span; };
    const auto* protocol = only(analysis_, node.protocols, "protocol", place);
    const auto* transport =
        only(analysis_, node.transports, "transport", [](const ast::Transport& t) { return t.span; });
    require(analysis_, node, node.name, "service", "protocol", protocol != nullptr);
    require(analysis_, node, node.name, "service", "transport", transport != nullptr);
    if (protocol != nullptr) add_protocol(*protocol, service);
    if (transport != nullptr) add_transport(*transport, node, service);
    service.paths = check_paths(analysis_, node.paths, analysis_.paths);
    if (!model::has_requests(service.protocol) && !node.paths.empty()) {
      const char* word = model::protocol_name(service.protocol);
      analysis_.report(kinds::not_on_tcp(node.paths.front().span, "paths", service.name, word)).with_help("leave it out");
    }
    check_balance(analysis_, node, service);
    check_eject(analysis_, node, service);
    check_at_most(analysis_, node, service);
  }

  void add_protocol(const ast::Choice& written, model::Service& service) {
    using model::Protocol;
    static constexpr Protocol protocols[] = {Protocol::http, Protocol::tcp, Protocol::tls, Protocol::http2,
                                             Protocol::grpc};
    for (const Protocol protocol : protocols) {
      if (written.word == model::protocol_name(protocol)) service.protocol = protocol;
    }
    if (service.protocol == Protocol::http2 || service.protocol == Protocol::grpc)
      analysis_.not_built("protocol " + written.word, written.span);
  }

  /// Whoever authenticates the other end has to know who it may be.
  void add_transport(const ast::Transport& written, const ast::Service& node, model::Service& service) {
    const std::string& first = written.first.word;
    if (first == "mtls") service.transport = model::Transport::mtls;
    if (first == "tls") service.transport = model::Transport::tls;
    std::string text = "transport " + first;
    if (written.second) {
      text += " or " + written.second->word;
      service.or_plaintext = first == "mtls" && written.second->word == "plaintext";
      if (!service.or_plaintext)
        analysis_.report(kinds::bad_transport(written.span, text))
            .with_help("during a migration to tunnels it is `transport mtls or plaintext`; else there is one");
    }
    if (service.transport == model::Transport::plaintext) return;
    if (service.transport == model::Transport::tls || service.or_plaintext) analysis_.not_built(text, written.span);
    require(analysis_, node, node.name, "service", "identity", !node.identities.empty());
  }

  void add_own_places(const ast::Service& node, const std::string& space) {
    const auto& entry = analysis_.services.at(qualified(space, node.name.text))->second;
    // A second service of the name has no place in the model.
    if (entry.node != &node) return;
    model::Service& service = analysis_.policy.services[entry.id];
    for (const ast::Address& address : node.addresses) {
      const auto parsed = socket_address(analysis_.sink, address);
      if (!parsed) continue;
      service.addresses.push_back(*parsed);
      claim(addresses_, *parsed, {entry.id, address.span});
    }
    for (const ast::Endpoint& endpoint : node.endpoints) add_endpoint(endpoint, entry.id);
  }

  void add_block(const ast::Endpoints& node, const std::string& space) {
    const auto* owner = find_owner(analysis_, node.service, space, "endpoints");
    if (owner == nullptr) return;
    for (const ast::Endpoint& endpoint : node.endpoints) add_endpoint(endpoint, owner->id);
  }

  void add_endpoint(const ast::Endpoint& node, model::ServiceId owner) {
    const auto parsed = socket_address(analysis_.sink, node.address);
    model::Endpoint endpoint;
    std::map<std::string, source::Span> labels;
    for (const ast::LabelValue& label : node.labels) {
      if (add_label(label, labels)) endpoint.labels[label.label.text] = label.value.value;
    }
    endpoint.weight = check_weight(analysis_, node);
    if (!parsed) return;
    endpoint.address = *parsed;
    endpoint.span = node.address.span;
    claim(endpoints_, *parsed, {owner, node.address.span});
    analysis_.policy.services[owner].endpoints.push_back(std::move(endpoint));
  }

  bool add_label(const ast::LabelValue& label, std::map<std::string, source::Span>& seen) {
    const auto [first, is_new] = seen.try_emplace(label.label.text, label.label.span);
    if (!is_new) {
      analysis_.report(kinds::duplicate_item(label.label.span, label.label.text))
          .with_label(first->second, "here for the first time");
    }
    return is_new;
  }

  void claim(Claims& claims, const model::SocketAddress& address, Claim claim) {
    const auto [first, is_new] = claims.try_emplace(address, claim);
    if (!is_new) report_taken(address, claim, first->second);
  }

  void report_taken(const model::SocketAddress& address, const Claim& second, const Claim& first) {
    const std::string& owner = analysis_.policy.services[first.service].name;
    analysis_.report(kinds::address_taken(second.span, address.text(), owner))
        .with_label(first.span, "it belongs to this service")
        .with_help("an address and an endpoint belong to exactly one service");
  }

  model::Subset make_subset(const ast::Subset& node, const model::Service& service) {
    model::Subset subset;
    subset.name = node.name.text;
    subset.span = node.name.span;
    std::map<std::string, source::Span> labels;
    for (const ast::LabelValue& test : node.where) {
      if (add_label(test, labels)) subset.where[test.label.text] = test.value.value;
    }
    for (std::uint32_t i = 0; i < service.endpoints.size(); ++i) {
      if (has_labels(service.endpoints[i], subset.where)) subset.endpoints.push_back(i);
    }
    if (subset.endpoints.empty() && !service.endpoints.empty()) warn_empty(node, service);
    return subset;
  }

  static bool has_labels(const model::Endpoint& endpoint, const std::map<std::string, std::string>& where) {
    return std::all_of(where.begin(), where.end(), [&](const auto& test) {
      const auto label = endpoint.labels.find(test.first);
      return label != endpoint.labels.end() && label->second == test.second;
    });
  }

  /// Says which of the labels or values no endpoint has.
  void warn_empty(const ast::Subset& node, const model::Service& service) {
    auto& diagnostic = analysis_.report(kinds::empty_subset(node.name.span, node.name.text));
    std::set<std::string> labels;
    for (const model::Endpoint& endpoint : service.endpoints) {
      for (const auto& [label, value] : endpoint.labels) labels.insert(label);
    }
    for (const ast::LabelValue& test : node.where) {
      if (!labels.contains(test.label.text)) {
        diagnostic.with_label(test.label.span, "no endpoint has this label");
        const auto meant = diagnostics::did_you_mean(test.label.text, {labels.begin(), labels.end()});
        if (meant) diagnostic.with_help(*meant);
        continue;
      }
      std::set<std::string> values;
      for (const model::Endpoint& endpoint : service.endpoints) {
        const auto label = endpoint.labels.find(test.label.text);
        if (label != endpoint.labels.end()) values.insert(label->second);
      }
      if (values.contains(test.value.value)) continue;
      diagnostic.with_label(test.value.span, "no endpoint has this value");
      if (const auto meant = diagnostics::did_you_mean(test.value.value, {values.begin(), values.end()}))
        diagnostic.with_help(*meant);
    }
  }

  Analysis& analysis_;
  Claims addresses_;
  Claims endpoints_;
};

}  // namespace

void check_services(Analysis& analysis) {
  Services services(analysis);
  for (const auto& [name, entry] : analysis.services.entries) services.add(name, entry);
  for (const ast::File& file : analysis.files) services.add_places(file);
  services.compare_claims();
  for (const auto& [name, entry] : analysis.services.entries) {
    services.add_subsets(entry);
    warn_never_ejects(analysis, *entry.node, analysis.policy.services[entry.id]);
    warn_prefers_nobody(analysis, *entry.node, analysis.policy.services[entry.id]);
  }
}

}  // namespace heddle::sema

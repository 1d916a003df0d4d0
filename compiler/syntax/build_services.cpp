#include "compiler/syntax/builder.h"

namespace heddle::syntax {

namespace {

using P = Parser;

ast::Paths build_paths(Builder& builder, P::PathModeContext* mode, source::Span keyword) {
  ast::Paths paths;
  if (mode->MERGE() != nullptr) paths.mode = ast::Paths::Mode::merge;
  if (mode->DECODE() != nullptr) paths.mode = ast::Paths::Mode::decode;
  for (auto* kept : mode->STRING()) paths.keep.push_back(builder.string(kept));
  paths.span = Builder::join(keyword, builder.span(mode));
  return paths;
}

class MeshItems {
 public:
  MeshItems(Builder& builder, ast::Mesh& mesh) : builder_(builder), mesh_(mesh) {}

  void operator()(P::TrustDomainContext& context) {
    mesh_.trust_domains.push_back(builder_.string(context.STRING(0)));
    if (context.ALIAS() != nullptr) mesh_.aliases.push_back(builder_.string(context.STRING(1)));
  }
  void operator()(P::MeshPathsContext& context) {
    mesh_.paths.push_back(build_paths(builder_, context.pathMode(), builder_.span(context.PATHS())));
  }
  void operator()(P::OutsideContext& context) {
    const auto mode = context.DENY() != nullptr ? ast::OutsideMode::deny : ast::OutsideMode::allow;
    mesh_.outside.push_back({mode, builder_.span(&context)});
  }
  void operator()(P::AmplificationContext& context) {
    mesh_.amplifications.push_back(builder_.number(context.INTEGER()));
  }

 private:
  Builder& builder_;
  ast::Mesh& mesh_;
};

class IdentityValue {
 public:
  IdentityValue(Builder& builder, ast::Identity& identity) : builder_(builder), identity_(identity) {}

  void operator()(P::SpiffeIdentityContext& context) { identity_.spiffe = builder_.string(context.STRING()); }
  void operator()(P::JwtIdentityContext& context) {
    ast::Jwt& jwt = identity_.jwt.emplace();
    jwt.span = builder_.span(context.JWT());
    for (auto* item : context.jwtItem()) {
      if (!is_whole(item)) continue;
      std::vector<ast::String>& list = item->ISSUER() != nullptr     ? jwt.issuers
                                       : item->AUDIENCE() != nullptr ? jwt.audiences
                                                                     : jwt.jwks;
      list.push_back(builder_.string(item->STRING()));
    }
    if (context.condition() != nullptr) jwt.where = build_condition(builder_, context.condition());
  }
  void operator()(P::GroupIdentityContext& context) {
    identity_.members = builder_.names(context.qualifiedName());
  }

 private:
  Builder& builder_;
  ast::Identity& identity_;
};

class WorkloadItems {
 public:
  WorkloadItems(Builder& builder, ast::Workload& workload) : builder_(builder), workload_(workload) {}

  void operator()(P::CgroupContext& context) {
    workload_.cgroups.push_back(builder_.string(context.STRING()));
  }
  void operator()(P::WorkloadIdentityContext& context) {
    workload_.identities.push_back(builder_.name(context.qualifiedName()));
  }
  void operator()(P::FastPathContext& context) {
    workload_.fast_paths.push_back({context.OFF() != nullptr ? "off" : "on", builder_.span(&context)});
  }

 private:
  Builder& builder_;
  ast::Workload& workload_;
};

class EndpointItems {
 public:
  EndpointItems(Builder& builder, ast::Endpoint& endpoint) : builder_(builder), endpoint_(endpoint) {}

  void operator()(P::EndpointWeightContext& context) {
    endpoint_.weights.push_back(builder_.number(context.INTEGER()));
  }
  void operator()(P::EndpointLabelContext& context) {
    endpoint_.labels.push_back({builder_.name(context.name()), builder_.string(context.STRING())});
  }

 private:
  Builder& builder_;
  ast::Endpoint& endpoint_;
};

ast::Endpoint build_endpoint(Builder& builder, P::EndpointContext* context) {
  ast::Endpoint endpoint;
  endpoint.address = builder.address(context->socketAddress());
  endpoint.span = builder.span(context);
  for (auto* item : context->endpointItem()) {
    if (!is_whole(item)) continue;
    visit_alternative<P::EndpointWeightContext, P::EndpointLabelContext>(item,
                                                                         EndpointItems(builder, endpoint));
  }
  return endpoint;
}

class ServiceItems {
 public:
  ServiceItems(Builder& builder, ast::Service& service) : builder_(builder), service_(service) {}

  void operator()(P::ServiceAddressContext& context) {
    for (auto* address : context.socketAddress()) service_.addresses.push_back(builder_.address(address));
  }
  void operator()(P::ServiceProtocolContext& context) {
    service_.protocols.push_back(builder_.choice(context.protocol()));
  }
  void operator()(P::ServiceTransportContext& context) {
    ast::Transport transport{builder_.choice(context.transport(0)), {}, builder_.span(&context)};
    if (context.OR() != nullptr) transport.second = builder_.choice(context.transport(1));
    service_.transports.push_back(std::move(transport));
  }
  void operator()(P::ServiceIdentityContext& context) {
    service_.identities.push_back(builder_.name(context.qualifiedName()));
  }
  void operator()(P::SubsetContext& context) {
    ast::Subset subset;
    subset.name = builder_.name(context.name());
    subset.span = builder_.span(&context);
    for (auto* test : context.labelTest()) {
      subset.where.push_back({builder_.name(test->name()), builder_.string(test->STRING())});
    }
    service_.subsets.push_back(std::move(subset));
  }
  void operator()(P::ServiceBalanceContext& context) {
    auto* balance = context.balance();
    ast::Balance built{std::nullopt, builder_.text(builder_.span(balance->start)), std::nullopt, builder_.span(balance)};
    if (balance->stickyKey() != nullptr) built.by = build_key(builder_, balance->stickyKey());
    if (auto* preference = context.preference()) {
      const source::Span span = builder_.span(preference->stop);
      built.prefer = ast::Choice{builder_.text(span), span};
    }
    service_.balances.push_back(std::move(built));
  }
  void operator()(P::EjectContext& context) {
    ast::Eject eject;
    eject.failures = builder_.number(context.INTEGER());
    eject.time = builder_.number(context.DURATION());
    if (context.PERCENT() != nullptr) eject.share = builder_.number(context.PERCENT());
    eject.span = builder_.span(&context);
    service_.ejects.push_back(std::move(eject));
  }
  void operator()(P::AtMostContext& context) {
    ast::AtMost at_most;
    at_most.span = builder_.span(&context);
    for (auto* one : context.capacity()) {
      at_most.capacities.push_back(
          {builder_.number(one->INTEGER()), one->PENDING() != nullptr, builder_.span(one)});
    }
    service_.at_mosts.push_back(std::move(at_most));
  }
  void operator()(P::ServicePathsContext& context) {
    service_.paths.push_back(build_paths(builder_, context.pathMode(), builder_.span(context.PATHS())));
  }
  void operator()(P::ServiceEndpointContext& context) {
    service_.endpoints.push_back(build_endpoint(builder_, context.endpoint()));
  }

 private:
  Builder& builder_;
  ast::Service& service_;
};

}  // namespace

ast::Mesh build(Builder& builder, P::MeshContext* context) {
  ast::Mesh mesh;
  mesh.name = builder.name(context->name());
  for (auto* item : context->meshItem()) {
    if (!is_whole(item)) continue;
    visit_alternative<P::TrustDomainContext, P::MeshPathsContext, P::OutsideContext, P::AmplificationContext>(
        item, MeshItems(builder, mesh));
  }
  return mesh;
}

ast::Identity build(Builder& builder, P::IdentityContext* context) {
  ast::Identity identity;
  identity.name = builder.name(context->name());
  visit_alternative<P::SpiffeIdentityContext, P::JwtIdentityContext, P::GroupIdentityContext>(
      context->identityValue(), IdentityValue(builder, identity));
  return identity;
}

ast::Workload build(Builder& builder, P::WorkloadContext* context) {
  ast::Workload workload;
  workload.name = builder.name(context->name());
  for (auto* item : context->workloadItem()) {
    if (!is_whole(item)) continue;
    visit_alternative<P::CgroupContext, P::WorkloadIdentityContext, P::FastPathContext>(
        item, WorkloadItems(builder, workload));
  }
  return workload;
}

ast::Service build(Builder& builder, P::ServiceContext* context) {
  ast::Service service;
  service.name = builder.name(context->name());
  for (auto* item : context->serviceItem()) {
    if (!is_whole(item)) continue;
    visit_alternative<P::ServiceAddressContext, P::ServiceProtocolContext, P::ServiceTransportContext,
                      P::ServiceIdentityContext, P::SubsetContext, P::ServiceBalanceContext, P::EjectContext,
                      P::AtMostContext, P::ServicePathsContext, P::ServiceEndpointContext>(
        item, ServiceItems(builder, service));
  }
  return service;
}

ast::Endpoints build(Builder& builder, P::EndpointsContext* context) {
  ast::Endpoints endpoints;
  endpoints.service = builder.name(context->qualifiedName());
  for (auto* item : context->endpointsItem()) {
    if (is_whole(item)) endpoints.endpoints.push_back(build_endpoint(builder, item->endpoint()));
  }
  return endpoints;
}

}  // namespace heddle::syntax

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/peers.h"
#include "runtime/handler/http/location.h"
#include "runtime/handler/http/normalise.h"
#include "runtime/handler/tls/expected_peers.h"

namespace heddle::handler {

/// What a worker reads of one generation: the texts behind the numbers of a decision. Unknown numbers give
/// empty texts.
class Tables {
 public:
  struct Parts {
    std::span<const hd_rule> rules;
    std::span<const hd_service> services;
    std::span<const hd_answer> answers;
    std::span<const hd_mesh> mesh;
    std::span<const hd_pattern> patterns;
    std::span<const hd_workload> workloads;
    std::span<const hd_endpoint> endpoints;
    std::string_view blob;
  };
  explicit Tables(const Parts& parts)
      : rules_(parts.rules),
        services_(parts.services),
        answers_(parts.answers),
        workloads_(parts.workloads),
        endpoints_(parts.endpoints),
        patterns_(parts.patterns),
        mesh_(parts.mesh),
        blob_(parts.blob),
        peers_(parts.mesh, parts.patterns, parts.blob) {}
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;
  virtual ~Tables() = default;

  [[nodiscard]] std::string_view rule_name(std::uint32_t rule) const {
    return rule < rules_.size() ? text(rules_[rule].name_offset, rules_[rule].name_length)
                                : std::string_view();
  }
  /// A rule's answer number `number`; null if it has none.
  [[nodiscard]] const hd_answer* answer(std::uint32_t rule, std::uint32_t number) const {
    if (rule >= rules_.size() || number >= rules_[rule].answers) return nullptr;
    const std::size_t at = std::size_t{rules_[rule].first_answer} + number;
    return at < answers_.size() ? &answers_[at] : nullptr;
  }
  [[nodiscard]] std::string_view text(const hd_text& text) const { return this->text(text.offset, text.length); }
  [[nodiscard]] http::Relocation relocation(const hd_answer& answer) const {
    return {(answer.flags & HD_ANSWER_HTTPS) != 0, text(answer.host), static_cast<std::uint16_t>(answer.port),
            text(answer.path), text(answer.prefix)};
  }
  [[nodiscard]] std::uint32_t unhealthy_rule(std::uint32_t service) const {
    return service < services_.size() ? services_[service].unhealthy_rule : HD_NONE;
  }
  [[nodiscard]] std::uint32_t full_rule(std::uint32_t service) const {
    return service < services_.size() ? services_[service].full_rule : HD_NONE;
  }
  [[nodiscard]] std::uint32_t timeout_rule(std::uint32_t service) const {
    return service < services_.size() ? services_[service].timeout_rule : HD_NONE;
  }
  /// Requests that may wait for a connection of a full endpoint.
  [[nodiscard]] std::uint32_t pending_max(std::uint32_t service) const {
    return service < services_.size() ? services_[service].pending_max : 0;
  }
  [[nodiscard]] http::PathMode paths(std::uint32_t service) const {
    const std::uint32_t flags = service < services_.size() ? services_[service].flags : 0;
    if ((flags & HD_SERVICE_DECODE) != 0) return http::PathMode::decode;
    return (flags & HD_SERVICE_MERGE) != 0 ? http::PathMode::merge : http::PathMode::strict;
  }
  [[nodiscard]] std::string_view service_name(std::uint32_t service) const {
    return service < services_.size() ? text(services_[service].name_offset, services_[service].name_length)
                                      : std::string_view();
  }
  [[nodiscard]] hd_protocol protocol(std::uint32_t service) const {
    return service < services_.size() ? static_cast<hd_protocol>(services_[service].protocol) : HD_PROTOCOL_HTTP;
  }
  /// The service whose endpoint it is; HD_NONE: there is no such endpoint.
  [[nodiscard]] std::uint32_t service_of_endpoint(std::uint32_t endpoint) const {
    return endpoint < endpoints_.size() ? endpoints_[endpoint].service : HD_NONE;
  }
  /// The SPIFFE ID of a workload of this node; empty: it is none.
  [[nodiscard]] std::string_view spiffe_of(std::uint32_t workload) const {
    return workload < workloads_.size() ? text(workloads_[workload].spiffe) : std::string_view();
  }
  /// Whom the calling side takes for an endpoint of the service, and who shows himself as one.
  [[nodiscard]] tls::ExpectedPeers expected_peers(std::uint32_t service) const;
  /// How requests reach its endpoints.
  [[nodiscard]] hd_transport transport(std::uint32_t service) const {
    return service < services_.size() ? static_cast<hd_transport>(services_[service].transport) : HD_TRANSPORT_PLAINTEXT;
  }
  /// Whom a certificate with this SPIFFE ID names; none: it is no SPIFFE ID.
  [[nodiscard]] std::optional<hd_peer> find_peer(std::string_view spiffe) const { return peers_.find(spiffe); }
  /// From the complete head to the last byte of the response; 0: unbounded.
  [[nodiscard]] std::uint32_t timeout_ms(std::uint32_t rule) const {
    return rule < rules_.size() ? rules_[rule].timeout_ms : 0;
  }

 private:
  [[nodiscard]] std::string_view text(std::uint32_t offset, std::uint32_t length) const {
    if (offset > blob_.size() || length > blob_.size() - offset) return {};
    return blob_.substr(offset, length);
  }

  std::span<const hd_rule> rules_;
  std::span<const hd_service> services_;
  std::span<const hd_answer> answers_;
  std::span<const hd_workload> workloads_;
  std::span<const hd_endpoint> endpoints_;
  std::span<const hd_pattern> patterns_;
  std::span<const hd_mesh> mesh_;
  std::string_view blob_;
  Peers peers_;
};

}  // namespace heddle::handler

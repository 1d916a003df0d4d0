#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "runtime/bundle/manifest.h"

namespace heddle::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string bundle;
  std::string format = "pretty";
};

void declare(CLI::App& app, Options& options) {
  app.add_option("BUNDLE", options.bundle, "what `heddle build` wrote")->required();
  app.add_option("--format", options.format, "pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->capture_default_str();
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

void print_json(const bundle::Opened& opened) {
  Json tables = Json::array();
  for (const bundle::MapImage& map : opened.bundle.maps) {
    tables.push_back({{"name", map.name},
                      {"key_size", map.key_size},
                      {"value_size", map.value_size},
                      {"max_entries", map.max_entries},
                      {"count", map.count}});
  }
  const Json document = {{"digest", opened.digest},
                         {"manifest", Json::parse(opened.bundle.manifest)},
                         {"object_size", opened.bundle.object.size()},
                         {"tables", tables},
                         {"signature", nullptr},
                         {"revision", nullptr}};
  std::cout << document.dump(2) << "\n";
}

void print_head(const bundle::Opened& opened) {
  const bundle::Manifest& manifest = opened.manifest;
  std::string needs = "kernel " + manifest.requires_.kernel;
  if (manifest.requires_.btf) needs += ", type information (BTF)";
  if (manifest.requires_.cgroup2) needs += ", cgroup v2";
  std::cout << fmt::format("bundle     {}\n", opened.digest)
            << fmt::format("mesh       {} (trust domain {}), outside {}\n", manifest.mesh,
                           manifest.trust_domain, manifest.outside)
            << fmt::format("sources    {}\n", manifest.source_digest)
            << fmt::format("compiler   {}, version {} of the tables\n", manifest.compiler, manifest.abi)
            << fmt::format("requires   {}\n", needs)
            << fmt::format("programs   {} ({} bytes)\n", joined(manifest.programs),
                           opened.bundle.object.size())
            << "signature  none\n";
}

void print_policy(const bundle::Manifest& manifest) {
  std::cout << "\nservices\n";
  for (const auto& service : manifest.services) {
    std::cout << fmt::format("  {:<24} {:<5} {}\n", service.name, service.protocol,
                             joined(service.addresses));
  }
  std::cout << "\nworkloads\n";
  for (const auto& workload : manifest.workloads) {
    std::cout << fmt::format("  {:<24} {}{}\n", workload.name, workload.cgroup,
                             workload.spiffe.empty() ? "" : " as " + workload.spiffe);
  }
  if (!manifest.filters.empty()) std::cout << "\nexterns\n";
  for (const auto& filter : manifest.filters) {
    std::cout << fmt::format("  {:<24} {}\n", filter.name, filter.file);
    for (const auto& map : filter.maps)
      std::cout << fmt::format("    {:<22} {} of {} entries, {} + {} bytes\n", map.name, map.type, map.entries, map.key, map.value);
  }
  std::cout << "\nrules\n";
  for (const auto& rule : manifest.rules) {
    const std::string place =
        rule.file.empty() ? "built in" : fmt::format("{}:{}:{}", rule.file, rule.line, rule.column);
    std::cout << fmt::format("  {:<32} {}\n", rule.id, place);
  }
}

void print_tables(const bundle::Bundle& bundle) {
  std::cout << "\ntables\n";
  for (const bundle::MapImage& map : bundle.maps) {
    std::cout << fmt::format("  {:<16} {:>9} of {} + {} bytes\n", map.name, map.max_entries, map.key_size,
                             map.value_size);
  }
}

int run(const Options& options) {
  const Result<bundle::Opened> opened = bundle::open_file(options.bundle);
  if (!opened) return report_error(opened.error());
  if (options.format == "json") {
    print_json(*opened);
    return exit_ok;
  }
  print_head(*opened);
  print_policy(opened->manifest);
  print_tables(opened->bundle);
  return exit_ok;
}

}  // namespace

void add_inspect(CommandSet& commands) {
  commands.add<Options>({"inspect", "Show what is in a bundle", "heddle inspect shop.bundle"}, declare, run);
}

}  // namespace heddle::cli

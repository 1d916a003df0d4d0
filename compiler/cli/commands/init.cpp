#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/starter.h"

namespace heddle::cli {

namespace {

struct Options {
  std::vector<std::string> services;
  std::string folder = "policy";
};

void declare(CLI::App& app, Options& options) {
  app.add_option("FOLDER", options.folder, "where to write policy.mesh")->capture_default_str();
  app.add_option("--service", options.services, "a server that runs here, as name=address; may be repeated")
      ->type_name("NAME=ADDRESS")
      ->allow_extra_args(false);
}

Error cannot(const std::string& what, const std::string& path, int reason) {
  return {ErrorKind::io, "cannot " + what + " `" + path + "`: " + std::strerror(reason), ""};
}

/// Never writes into a file that is there.
Result<void> write_new(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0 && errno == EEXIST) {
    return Error{ErrorKind::usage, "`" + path + "` exists, and is left as it is",
                 "name another folder: `heddle init other/`"};
  }
  if (file < 0) return cannot("make", path, errno);
  const ssize_t written = write(file, text.data(), text.size());
  const int reason = errno;
  close(file);
  if (written == static_cast<ssize_t>(text.size())) return {};
  unlink(path.c_str());
  return cannot("write", path, written < 0 ? reason : ENOSPC);
}

Result<std::string> make_policy(const Options& options) {
  std::vector<StarterService> services;
  for (const std::string& text : options.services) {
    auto service = make_starter_service(text);
    if (!service) return service.error();
    services.push_back(*service);
  }
  return make_starter_policy(services.empty() ? default_starter_services() : services);
}

int run(const Options& options) {
  const auto policy = make_policy(options);
  if (!policy) return report_error(policy.error());
  std::error_code reason;
  std::filesystem::create_directories(options.folder, reason);
  if (reason) return report_error(cannot("make", options.folder, reason.value()));
  const std::string path = (std::filesystem::path(options.folder) / "policy.mesh").string();
  if (auto written = write_new(path, *policy); !written) return report_error(written.error());
  std::cout << "wrote " << path << "\n"
            << "next:  heddle check " << options.folder << "\n"
            << "       heddle test " << options.folder << "\n"
            << "       sudo heddle run " << options.folder << "\n";
  return exit_ok;
}

}  // namespace

void add_init(CommandSet& commands) {
  commands.add<Options>({"init", "Write a policy to start from",
                         "heddle init --service hello=127.0.0.1:8081 --service world=127.0.0.1:8082"},
                        declare, run);
}

}  // namespace heddle::cli

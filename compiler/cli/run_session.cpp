#include "compiler/cli/run_session.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "compiler/cli/agent_client.h"
#include "compiler/cli/child.h"
#include "compiler/cli/exit_code.h"
#include "runtime/base/file.h"
#include "runtime/loader/mounts.h"
#include "runtime/loader/node.h"
#include "runtime/loader/requirements.h"

namespace heddle::cli {
namespace {

constexpr int settle_ms = 50;     // an editor saves in several steps
constexpr int ask_again_ms = 20;  // while the agent starts

std::string folder_of_temporaries() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

}  // namespace

Result<void> RunSession::prepare() {
  if (Result<void> machine = loader::check_machine(); !machine) return machine;
  Result<std::string> root = loader::resolve_cgroup_root(options_.cgroup_root);
  if (!root) return root.error();
  options_.cgroup_root = *root;
  std::string folder = folder_of_temporaries() + "/heddle-run.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    return system_error("cannot make a folder in `" + folder_of_temporaries() + "`", errno);
  folder_ = folder;
  bundle_ = folder_ + "/policy.bundle";
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error("cannot receive signals", errno);
  // Watched before it is read: a save in between is a change.
  Result<FileWatch> files = FileWatch::make(options_.paths);
  if (!files) return files.error();
  files_ = std::make_unique<FileWatch>(std::move(*files));
  cgroups_ = std::make_unique<MadeCgroups>(options_.cgroup_root);
  return {};
}

int RunSession::run() {
  if (Result<void> prepared = prepare(); !prepared) return report_error(prepared.error());
  if (const int built = build(); built != exit_ok) return built;
  if (const int started = start_agent(); started != exit_ok) return started;
  std::cout << "the policy is in force; saving a change puts it in force, Ctrl-C ends it\n" << std::flush;
  return watch();
}

int RunSession::build() {
  std::vector<std::string> arguments{"/proc/self/exe", "build", "--verify", "off", "-o", bundle_, "--"};
  arguments.insert(arguments.end(), options_.paths.begin(), options_.paths.end());
  Result<pid_t> pid = start_program(arguments);
  if (!pid) return report_error(pid.error());
  return wait_for(*pid);
}

int RunSession::start_agent() {
  const Result<bundle::Opened> opened = bundle::open_file(bundle_);
  if (!opened) return report_error(opened.error());
  if (Result<void> made = cgroups_->make(opened->manifest); !made) return report_error(made.error());
  // The socket answers for us only if nobody else's did before.
  if (ask_status(options_.control)) {
    return report_error({ErrorKind::busy, "another `heddled` listens on `" + options_.control + "`",
                         "`heddle detach` ends it; `--control` takes another path"});
  }
  std::vector<std::string> arguments = {program_folder() + "/heddled", "--bundle", bundle_, "--control",
                                        options_.control, "--cgroup-root", options_.cgroup_root,
                                        "--log-level", options_.log_level, "--detach-at-end"};
  if (!options_.identities.empty()) arguments.insert(arguments.end(), {"--identities", options_.identities});
  if (!options_.zone.empty()) arguments.insert(arguments.end(), {"--zone", options_.zone});
  if (!options_.node.empty()) arguments.insert(arguments.end(), {"--node", options_.node});
  const Result<pid_t> pid = start_program(arguments);
  if (!pid) return report_error(pid.error());
  agent_ = *pid;
  agent_end_.reset(static_cast<int>(::syscall(SYS_pidfd_open, agent_, 0)));
  digest_ = opened->digest;
  while (!ask_status(options_.control)) {
    pollfd polled{agent_end_.get(), POLLIN, 0};
    if (::poll(&polled, 1, ask_again_ms) <= 0) continue;
    const int code = wait_for(std::exchange(agent_, -1));
    return code == exit_ok ? exit_usage : code;
  }
  return exit_ok;
}

int RunSession::watch() {
  for (;;) {
    std::array<pollfd, 3> polled{
        {{signals_.get(), POLLIN, 0}, {files_->fd(), POLLIN, 0}, {agent_end_.get(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[0].revents != 0) return exit_ok;
    if (polled[2].revents != 0) {
      wait_for(std::exchange(agent_, -1));
      return report_error({ErrorKind::io, "the agent ended by itself", "its last lines above say why"});
    }
    if (wait_for_change()) return exit_ok;
  }
}

bool RunSession::wait_for_change() {
  bool changed = files_->take();
  for (;;) {
    std::array<pollfd, 2> polled{{{signals_.get(), POLLIN, 0}, {files_->fd(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), settle_ms) == 0) break;
    if (polled[0].revents != 0) return true;
    changed = files_->take() || changed;
  }
  if (changed) reload();
  return false;
}

void RunSession::reload() {
  const int built = build();
  const std::string kept = "the policy before it goes on deciding\n";
  if (built != exit_ok) {
    std::cout << "not put in force: " << kept << std::flush;
    return;
  }
  const Result<bundle::Opened> opened = bundle::open_file(bundle_);
  if (opened && opened->digest == digest_) return;  // saved without a change
  const Result<std::vector<std::byte>> file = read_file(bundle_, bundle::file_limit);
  Result<void> made = opened ? cgroups_->make(opened->manifest) : Result<void>(opened.error());
  if (made && !file) made = file.error();
  const Result<nlohmann::json> answer =
      made ? ask_agent(options_.control, {{"op", "reload"}}, *file) : Result<nlohmann::json>(made.error());
  if (!answer) {
    report_error(answer.error());
    std::cout << "not put in force: " << kept << std::flush;
    return;
  }
  digest_ = opened->digest;
  std::cout << "the changed policy is in force (generation " << answer->value("generation", 0) << ")\n"
            << std::flush;
}

void RunSession::end_agent() {
  if (agent_ > 0) {
    ::kill(agent_, SIGTERM);
    wait_for(std::exchange(agent_, -1));
  }
  // One that was killed could not tidy up.
  if (agent_end_) static_cast<void>(loader::Node::remove(options_.cgroup_root));
}

RunSession::~RunSession() {
  end_agent();
  cgroups_.reset();
  std::error_code error;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, error);
}

}  // namespace heddle::cli

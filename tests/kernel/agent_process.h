#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace heddle::test {

/// A `heddled` of the test's own, killed at the end if it still runs.
class AgentProcess {
 public:
  /// `log` gets its standard error (default: beside the socket). `before` is called in its process first.
  AgentProcess(std::vector<std::string> arguments, const std::string& control, std::string log = "",
               const std::function<void()>& before = {});
  ~AgentProcess();
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  /// Waits until it answers; false: it ended before.
  bool ready();
  /// One request; null if nobody answers.
  nlohmann::json ask(nlohmann::json request, const std::vector<std::byte>& payload = {}) const;
  nlohmann::json status() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Exit code, or 256 + signal.
  int wait();
  /// What it wrote to standard error.
  [[nodiscard]] std::string log() const;

 private:
  std::string control_;
  std::string log_path_;
  pid_t pid_ = -1;
};

/// A folder below /tmp, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::vector<std::byte>& content) const;

 private:
  std::string path_;
};

}  // namespace heddle::test

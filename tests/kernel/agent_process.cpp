#include "tests/kernel/agent_process.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/kernel/scratch.h"

namespace heddle::test {
namespace {

using Json = nlohmann::json;

constexpr int start_within_ms = 20'000;

[[noreturn]] void become_agent(const std::vector<std::string>& arguments, const std::string& log,
                               const std::function<void()>& before) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, 2);
  ::dup2(out, 1);
  // A group that a worker must not keep.
  const gid_t extra = 54321;
  if (::setgroups(1, &extra) != 0) ::_exit(251);
  if (before) before();
  const char* folder = std::getenv("HEDDLE_BIN_DIR");  // set where the programs lie elsewhere: in a guest
  const std::string program = std::string(folder != nullptr ? folder : HEDDLE_BIN_DIR) + "/heddled";
  std::vector<char*> list{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  ::execv(program.c_str(), list.data());
  ::_exit(252);
}

int connect_to(const std::string& control) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, control.c_str(), sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

AgentProcess::AgentProcess(std::vector<std::string> arguments, const std::string& control, std::string log,
                           const std::function<void()>& before)
    : control_(control), log_path_(log.empty() ? control + ".log" : std::move(log)) {
  ::unlink(log_path_.c_str());
  arguments.insert(arguments.end(), {"--control", control});
  pid_ = ::fork();
  if (pid_ == 0) become_agent(arguments, log_path_, before);
}

AgentProcess::~AgentProcess() {
  if (testing::Test::HasFailure()) std::fprintf(stderr, "-- log of heddled --\n%s", log().c_str());
  if (pid_ <= 0) return;
  signal(SIGKILL);
  wait();
}

bool AgentProcess::ready() {
  const auto ended = [this] {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  };
  bool answers = false;
  eventually([&] { return (answers = !status().is_null()) || ended(); }, start_within_ms);
  return answers;
}

Json AgentProcess::ask(Json request, const std::vector<std::byte>& payload) const {
  const int fd = connect_to(control_);
  if (fd < 0) return nullptr;
  request["size"] = payload.size();
  std::string text = request.dump() + "\n";
  text.append(reinterpret_cast<const char*>(payload.data()), payload.size());
  static_cast<void>(::send(fd, text.data(), text.size(), MSG_NOSIGNAL));
  const std::string answer = read_all(fd);
  ::close(fd);
  const Json parsed = Json::parse(answer, nullptr, false);
  return parsed.is_discarded() ? Json(nullptr) : parsed;
}

Json AgentProcess::status() const {
  const Json answer = ask({{"op", "status"}});
  return answer.is_null() ? answer : answer["status"];
}

void AgentProcess::signal(int number) const {
  ::kill(pid_, number);
}

int AgentProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

std::string AgentProcess::log() const {
  std::ostringstream text;
  text << std::ifstream(log_path_).rdbuf();
  return text.str();
}

TemporaryFolder::TemporaryFolder() {
  char path[] = "/tmp/heddle-test.XXXXXX";
  EXPECT_NE(::mkdtemp(path), nullptr);
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::filesystem::remove_all(path_);
}

std::string TemporaryFolder::write(const std::string& name, const std::vector<std::byte>& content) const {
  std::ofstream(path_ + "/" + name, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  return path_ + "/" + name;
}

}  // namespace heddle::test

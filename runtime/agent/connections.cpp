#include "runtime/agent/connections.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "runtime/agent/processes.h"
#include "runtime/base/file.h"

namespace heddle::agent {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string local;
  std::string remote;
};

/// `0100007F:1F90`: words in the machine's order, port in hex.
std::string readable(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return text;
  std::array<std::uint32_t, 4> words{};
  const std::size_t count = colon / 8;
  if (count != 1 && count != 4) return text;
  for (std::size_t i = 0; i < count; ++i) {
    words[i] = static_cast<std::uint32_t>(std::strtoul(text.substr(i * 8, 8).c_str(), nullptr, 16));
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  ::inet_ntop(count == 1 ? AF_INET : AF_INET6, words.data(), buffer.data(), buffer.size());
  const std::string port = std::to_string(std::strtoul(text.c_str() + colon + 1, nullptr, 16));
  return count == 1 ? buffer.data() + (":" + port) : "[" + std::string(buffer.data()) + "]:" + port;
}

/// Established connections of the process' network namespace by the inode of their socket.
std::map<std::uint64_t, Row> established(pid_t pid) {
  std::map<std::uint64_t, Row> rows;
  for (const char* table : {"/net/tcp", "/net/tcp6"}) {
    std::istringstream lines(read_text("/proc/" + std::to_string(pid) + table));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string number;
      std::string local;
      std::string remote;
      std::string state;
      std::string skip;
      std::uint64_t inode = 0;
      fields >> number >> local >> remote >> state >> skip >> skip >> skip >> skip >> skip >> inode;
      if (state == "01" && inode != 0) rows[inode] = {readable(local), readable(remote)};
    }
  }
  return rows;
}

std::set<std::uint64_t> socket_inodes(pid_t pid) {
  std::set<std::uint64_t> inodes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    const std::string target = fs::read_symlink(entry.path(), error).string();
    if (target.rfind("socket:[", 0) == 0) inodes.insert(std::strtoull(target.c_str() + 8, nullptr, 10));
  }
  return inodes;
}

}  // namespace

std::vector<OpenConnection> list_connections(const loader::CgroupTree& tree,
                                             const bundle::Manifest& manifest) {
  std::vector<OpenConnection> found;
  for (const loader::CgroupTree::Workload& workload : tree.workloads()) {
    for (const pid_t pid : processes_below(tree.root() + "/" + workload.path)) {
      const std::map<std::uint64_t, Row> rows = established(pid);
      for (const std::uint64_t inode : socket_inodes(pid)) {
        const auto row = rows.find(inode);
        if (row != rows.end())
          found.push_back(
              {manifest.workloads[workload.index].name, pid, inode, row->second.local, row->second.remote});
      }
    }
  }
  return found;
}

std::vector<OpenConnection> still_open(const std::vector<OpenConnection>& before) {
  std::vector<OpenConnection> open;
  for (const OpenConnection& connection : before) {
    const std::map<std::uint64_t, Row> rows = established(connection.pid);
    const auto row = rows.find(connection.inode);
    if (row != rows.end() && row->second.local == connection.local &&
        row->second.remote == connection.remote) {
      open.push_back(connection);
    }
  }
  return open;
}

}  // namespace heddle::agent

#include "runtime/loader/trial.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "embedded/self_test.h"
#include "runtime/base/file.h"

namespace heddle::loader {
namespace {

constexpr std::string_view request = "GET /self-test HTTP/1.1\r\nHost: self-test\r\n\r\n";
constexpr std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr int landings = 400;
constexpr std::uint32_t own_references_max = 4;
constexpr int patience_ms = 5000;
constexpr int passed_on_max = 40;

Error failed(const std::string& what) {
  return Error{ErrorKind::unsupported, what, ""};
}

/// As much as is wanted, or what came in time.
std::string receive(int fd, std::size_t wanted) {
  std::string text;
  while (text.size() < wanted) {
    pollfd poll{fd, POLLIN, 0};
    if (::poll(&poll, 1, patience_ms) <= 0) break;
    char bytes[65536];
    const ssize_t count = ::recv(fd, bytes, std::min(sizeof bytes, wanted - text.size()), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) break;
    if (count > 0) text.append(bytes, static_cast<std::size_t>(count));
  }
  return text;
}

bool has_input(int fd) {
  pollfd poll{fd, POLLIN, 0};
  return ::poll(&poll, 1, 0) == 1;
}

bool send_all(int fd, std::string_view bytes) {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

/// Where a policy is in force already, a new cgroup is refused until the policy knows what it is.
bool connect_patiently(int fd, const sockaddr_storage& address, socklen_t size) {
  for (int tries = 0; tries < 200; ++tries) {
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
    if (errno != ECONNREFUSED) return false;
    ::usleep(1000);
  }
  errno = ECONNREFUSED;
  return false;
}

UniqueFd stream(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

std::uint16_t port_of(const sockaddr_storage& address) {
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);  // at the same place in both families
}

}  // namespace

Result<std::uint32_t> Trial::run(const std::string& cgroup, int family, hd_fast_path landing) {
  Result<State> state = State::make_for_trial(landing == HD_FAST_BY_TRACE);
  if (!state) return state.error();
  Trial trial(std::move(*state));
  if (Result<void> listening = trial.listen(family); !listening) {
    if (family == AF_INET6) return 0U;
    return listening.error();
  }
  if (Result<void> prepared = trial.prepare(cgroup, landing); !prepared) return prepared.error();
  using Step = Result<void> (Trial::*)();
  for (const Step step : {&Trial::connect_client, &Trial::connect_server, &Trial::pass_before_armed,
                          &Trial::exchange_fast, &Trial::count_references, &Trial::exchange_often,
                          &Trial::move_large_request, &Trial::keep_order,
                          &Trial::prove_landing, &Trial::bound_memory, &Trial::end_link}) {
    if (Result<void> done = (trial.*step)(); !done) {
      Error error = done.error();
      error.what += family == AF_INET6 ? " (IPv6)" : " (IPv4)";
      return error;
    }
  }
  return trial.config_.own_references;
}

// ---- preparations

Result<void> Trial::listen(int family) {
  address_size_ = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  for (auto [listener, address] :
       {std::pair{&handler_listener_, &handler_address_}, std::pair{&server_listener_, &server_address_}}) {
    *listener = stream(family);
    address->ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) {
      reinterpret_cast<sockaddr_in6*>(address)->sin6_addr = in6addr_loopback;
    } else {
      reinterpret_cast<sockaddr_in*>(address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    if (!*listener || ::bind(listener->get(), reinterpret_cast<sockaddr*>(address), address_size_) != 0 ||
        ::listen(listener->get(), 8) != 0 ||
        ::getsockname(listener->get(), reinterpret_cast<sockaddr*>(address), &address_size_) != 0) {
      return system_error("cannot listen on loopback", errno);
    }
  }
  return {};
}

Result<void> Trial::prepare(const std::string& cgroup, hd_fast_path landing) {
  Result<Object> object = open_object(embedded::self_test(), "self_test");
  if (!object) return object.error();
  program_ = std::move(*object);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, program_.get()) {
    const int fd = state_.fd(bpf_map__name(map));
    if (fd >= 0) bpf_map__reuse_fd(map, fd);
  }
  if (Result<void> loaded = load_object(*program_); !loaded) return loaded;
  const std::uint32_t place = HD_PROGRAM_PLACE(1);
  const int entry = bpf_program__fd(bpf_object__find_program_by_name(program_.get(), "hd_self_test"));
  if (Result<void> put = write_entry(state_.fd("hd_to_sk_msg"), &place, &entry); !put) return put;
  if (Result<void> flipped = state_.set_generation(1); !flipped) return flipped;
  config_.abi_version = HD_ABI_VERSION;
  config_.fast_path = landing;
  const std::uint32_t zero = 0;
  if (Result<void> put = write_entry(state_.fd("hd_config"), &zero, &config_); !put) return put;
  const hd_listener listener{port_of(handler_address_), port_of(handler_address_), 0, 0};
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(handler_listener_.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return system_error("cannot tell the network namespace", errno);
  if (Result<void> put = write_entry(state_.fd("hd_listeners"), &cookie, &listener); !put) return put;
  Result<MapView> flows = MapView::make(state_.fd("hd_flows"), sizeof(hd_flow) * HD_FLOWS_MAX, true);
  if (!flows) return flows.error();
  flows_ = std::move(*flows);
  Result<MapView> links = MapView::make(state_.fd("hd_links"), sizeof(hd_link) * HD_LINKS_MAX, true);
  if (!links) return links.error();
  links_ = std::move(*links);
  return attach(cgroup);
}

Result<void> Trial::attach(const std::string& cgroup) {
  const UniqueFd folder(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  link_sockops_.reset(bpf_link_create(state_.program("hd_sockops"), folder.get(), BPF_CGROUP_SOCK_OPS, nullptr));
  if (!link_sockops_) return system_error("cannot attach to a cgroup", errno);
  for (const auto& [program, map] : {std::pair{"hd_client_message", "hd_clients"}, std::pair{"hd_server_message", "hd_servers"}}) {
    if (bpf_prog_attach(state_.program(program), state_.fd(map), BPF_SK_MSG_VERDICT, 0) != 0)
      return system_error("cannot attach to a map of sockets", errno);
  }
  if (state_.program("hd_moved") < 0) return {};
  link_trace_.reset(bpf_link_create(state_.program("hd_moved"), 0, BPF_TRACE_FEXIT, nullptr));
  if (!link_trace_) return system_error("cannot attach to the kernel's redirect function", errno);
  return {};
}

/// What the connect hook does for a workload's socket.
Result<void> Trial::connect_client() {
  client_ = stream(handler_address_.ss_family);
  hd_connection connection{};
  connection.cgroup = 1;
  connection.flags = HD_CONNECTION_TO_HANDLER | HD_CONNECTION_FAST;
  const int fd = client_.get();
  if (Result<void> put = write_entry(state_.fd("hd_connections"), &fd, &connection); !put) return put;
  if (!connect_patiently(fd, handler_address_, address_size_)) return system_error("cannot connect on loopback", errno);
  handler_.reset(::accept4(handler_listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int accepted = handler_.get();
  hd_connection origin{};
  if (bpf_map_lookup_elem(state_.fd("hd_connections"), &accepted, &origin) != 0 || origin.flow == 0)
    return failed("a client's socket gets no flow");
  flow_id_ = origin.flow;
  flow().worker = 0;
  if (flow_state() != HD_FLOW_TAKEN || flow().ends != (HD_FLOW_CLIENT | HD_FLOW_HANDLER))
    return failed("the two ends of a client's connection are not recognised");
  return {};
}

Result<void> Trial::connect_server() {
  upstream_ = stream(server_address_.ss_family);
  const hd_link_end end{};
  const int fd = upstream_.get();
  if (Result<void> put = write_entry(state_.fd("hd_link_ends"), &fd, &end); !put) return put;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&server_address_), address_size_) != 0)
    return system_error("cannot connect on loopback", errno);
  server_.reset(::accept4(server_listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int on = 1;
  ::setsockopt(server_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const hd_link& link = *links_.as<hd_link>();
  if ((link.state & 15) != HD_LINK_IDLE) return failed("a server's socket is not enrolled when it is born");
  return {};
}

hd_flow& Trial::flow() const {
  return flows_.as<hd_flow>()[HD_ID_INDEX(flow_id_)];
}

std::uint32_t Trial::flow_state() const {
  return HD_FLOW_STATE(std::atomic_ref(flow().state).load(std::memory_order_acquire));
}

bool Trial::wait_for_state(std::uint32_t state) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  for (int i = 0;; ++i) {
    const std::uint32_t now = flow_state();
    if (now == state || (state == HD_FLOW_DONE && now == HD_FLOW_ARMED)) return true;
    if (i % 64 != 63) continue;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
}

void Trial::arm() {
  flow().counts = received_ | static_cast<std::uint64_t>(sent_) << 32;
  const std::uint64_t word = flow().state;
  std::atomic_ref(flow().state).store(HD_FLOW_BASE(word) | HD_FLOW_ARMED, std::memory_order_release);
}

bool Trial::has_landed() const {
  hd_settle_round round{};
  round.flows[0] = flow_id_;
  round.count = 1;
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &round;  // the kernel writes it back
  options.ctx_size_in = sizeof(round);
  return bpf_prog_test_run_opts(state_.program("hd_settle"), &options) == 0 && (round.landed & 1U) != 0;
}

/// One look may meet a reference that passes by, a timer's or a packet's.
bool Trial::lands() const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!has_landed()) {
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

/// S answers what it got, and C reads it.
Result<void> Trial::answer(std::string_view text) {
  if (!send_all(server_.get(), text)) return system_error("a server cannot answer", errno);
  if (receive(client_.get(), text.size()) != text) return failed("a response does not come back as it was sent");
  if (has_input(upstream_.get())) return failed("a response goes two ways");
  return {};
}

// ---- the course

Result<void> Trial::pass_before_armed() {
  if (!send_all(client_.get(), request)) return system_error("a client that is not armed cannot send", errno);
  if (receive(handler_.get(), request.size()) != request) return failed("what is passed on does not reach the handler");
  received_ += static_cast<std::uint32_t>(request.size());
  if (!send_all(handler_.get(), response)) return system_error("the handler cannot answer", errno);
  sent_ += static_cast<std::uint32_t>(response.size());
  // The client has not read it: the next request may not overtake.
  arm();
  if (!send_all(client_.get(), request)) return system_error("a client cannot send", errno);
  if (receive(handler_.get(), request.size()) != request)
    return failed("a request overtakes a response that the client has not read");
  received_ += static_cast<std::uint32_t>(request.size());
  if (receive(client_.get(), response.size()) != response) return failed("the handler's answer is lost");
  arm();
  return {};
}

/// Anybody's request may meet a reference that passes by, a timer's or a packet's, and is passed on then: the handler answers it,
/// and the next one is tried. That this happens now and then is no fault; that nothing else happens is one.
Result<void> Trial::send_fast(std::string_view text) {
  for (;;) {
    const std::uint64_t before = HD_FLOW_BASE(flow().state);
    if (!send_all(client_.get(), text)) return system_error("an armed client cannot send", errno);
    if (HD_FLOW_BASE(flow().state) != before) return {};
    if (++passed_on_ > passed_on_max) return failed("an armed client's requests are passed on");
    if (receive(handler_.get(), text.size()) != text) return failed("what is passed on does not reach the handler");
    received_ += static_cast<std::uint32_t>(text.size());
    if (!send_all(handler_.get(), response)) return system_error("the handler cannot answer", errno);
    sent_ += static_cast<std::uint32_t>(response.size());
    if (receive(client_.get(), response.size()) != response) return failed("the handler's answer is lost");
    arm();
  }
}

Result<void> Trial::exchange() {
  if (Result<void> sent = send_fast(request); !sent) return sent;
  if (receive(server_.get(), request.size()) != request) return failed("a request does not reach the server");
  if (has_input(handler_.get())) return failed("a request goes two ways");
  return answer(response);
}

Result<void> Trial::exchange_fast() {
  return exchange();
}

/// Nothing is under way now: what refers to the client's socket does so always, but for timers and packets that pass by. The
/// least of several looks is without them.
Result<void> Trial::count_references() {
  struct {
    std::uint64_t flow;
    std::uint32_t references;
    std::uint32_t pad;
  } counted{flow_id_, 0, 0};
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &counted;
  options.ctx_size_in = sizeof(counted);
  std::uint32_t least = own_references_max + 1;
  for (int look = 0; look < 20; ++look, ::usleep(1000)) {
    if (bpf_prog_test_run_opts(state_.program("hd_count_references"), &options) == 0 && counted.references != 0)
      least = std::min(least, counted.references);
  }
  if (least > own_references_max) return failed("cannot count the references of a socket");
  config_.own_references = least;
  const std::uint32_t zero = 0;
  return write_entry(state_.fd("hd_config"), &zero, &config_);
}

Result<void> Trial::exchange_often() {
  for (int i = 0; i < 200; ++i) {
    if (Result<void> done = exchange(); !done) return done;
  }
  return {};
}

/// Longer than what the kernel keeps in one piece: it must arrive whole.
Result<void> Trial::move_large_request() {
  std::string large(50'000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
  if (Result<void> sent = send_fast(large); !sent) return sent;
  if (receive(server_.get(), large.size()) != large) return failed("a large request does not arrive whole");
  return answer(response);
}

/// A second request before the first is answered is the handler's.
Result<void> Trial::keep_order() {
  if (Result<void> sent = send_fast(request); !sent) return sent;
  if (!send_all(client_.get(), request)) return system_error("a client cannot send twice", errno);
  if (receive(server_.get(), request.size()) != request || receive(handler_.get(), request.size()) != request)
    return failed("two requests at once are not told apart");
  received_ += static_cast<std::uint32_t>(request.size());
  if (Result<void> answered = answer(response); !answered) return answered;
  if (!lands()) return failed("a response that was read is taken for one on its way");
  if (!send_all(handler_.get(), response)) return system_error("the handler cannot answer", errno);
  sent_ += static_cast<std::uint32_t>(response.size());
  if (receive(client_.get(), response.size()) != response) return failed("the handler's answer is lost");
  arm();
  return {};
}

/// As soon as the last piece of a response counts as landed, it can be read; tried while the server's thread is still in its
/// call.
Result<void> Trial::prove_landing() {
  std::atomic<bool> stop{false};
  std::thread server([this, &stop] {
    while (!stop) {
      if (receive(server_.get(), request.size()) == request) send_all(server_.get(), response);
    }
  });
  std::string wrong;
  for (int i = 0; i < landings && wrong.empty(); ++i) {
    if (Result<void> sent = send_fast(request); !sent) wrong = sent.error().what;
    if (!wait_for_state(HD_FLOW_DONE)) wrong = "a response does not come to its end";
    if (wrong.empty() && !lands()) wrong = "a response never counts as landed";
    char bytes[256];
    if (wrong.empty() && ::recv(client_.get(), bytes, sizeof bytes, MSG_DONTWAIT) != static_cast<ssize_t>(response.size()))
      wrong = "a response counts as landed before it has";
  }
  stop = true;
  ::shutdown(server_.get(), SHUT_RD);
  server.join();
  if (!wrong.empty()) return failed(wrong);
  return {};
}

/// A response that is longer than what may be redirected goes on over TCP, and nothing is lost or doubled.
Result<void> Trial::bound_memory() {
  server_.reset();
  upstream_.reset();
  if (Result<void> again = connect_server(); !again && (links_.as<hd_link>()[1].state & 15) != HD_LINK_IDLE) return again;
  if (Result<void> sent = send_fast(request); !sent) return sent;
  if (receive(server_.get(), request.size()) != request)
    return failed("a second link to a server is not used");
  std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n";
  text.append(400'000, 'r');
  std::thread server([this, &text] { send_all(server_.get(), text); });
  const bool spilled = wait_for_state(HD_FLOW_SPILL);
  const std::string rest = receive(upstream_.get(), spilled ? flow().left : 0);
  const std::string begin = receive(client_.get(), text.size() - rest.size());
  server.join();
  if (!spilled || begin + rest != text || begin.size() > HD_FAST_RESPONSE_MAX)
    return failed("a long response is not bounded, or not whole");
  return {};
}

/// The end of a link is seen.
Result<void> Trial::end_link() {
  server_.reset();
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t state = links_.as<hd_link>()[1].state & 15;
    if (state == HD_LINK_DEAD || state == HD_LINK_FREE) return {};
    ::usleep(10'000);
  }
  return failed("the end of a server's socket is not seen");
}

}  // namespace heddle::loader

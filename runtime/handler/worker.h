#pragma once

namespace heddle::handler {

/// Runs a worker until it is told to end: an unprivileged process that parses what the network sends.
/// `control_fd` is its end of the SOCK_SEQPACKET pair of contract.h; every other descriptor above standard
/// error that the process inherited is closed.
///
/// It ends after `drain`, after SIGTERM, and when the supervisor is gone: it accepts nothing more, lets
/// running requests finish for a while, and returns the exit status of the process. SIGINT is the
/// supervisor's affair.
int run_worker(int control_fd);

}  // namespace heddle::handler

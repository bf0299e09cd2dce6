import CPOSIX
import Foundation

/// Standard input, output and error, and the check that output was written.
enum StandardStreams {
  /// Ensures that all three are open, and that neither a closed pipe nor a limit on the size of files ends
  /// the program.
  ///
  /// Otherwise a file that is opened while one of them is closed would get its descriptor and thus
  /// the printed output.
  static func prepare() {
    for descriptor: Int32 in 0...2
    where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      let opened = open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY)
      // The descriptors before it are open, so this should get the missing one.
      if opened >= 0, opened != descriptor {
        dup2(opened, descriptor)
        close(opened)
      }
    }
    signal(SIGPIPE, SIG_IGN)
    // A file that reaches the limit of its size is an error of writing, as on a full disk.
    signal(SIGXFSZ, SIG_IGN)
  }

  /// Flushes standard output.
  ///
  /// - Returns: the reason why output was lost, nil where all was written or the reader has closed
  ///   the pipe.
  static func flush() -> String? {
    let code = CPOSIX_FlushOutput()
    guard code != 0, code != EPIPE else { return nil }
    if code > 0 { return String(cString: strerror(code)) }
    // An earlier write has failed for an unknown reason.
    var state = pollfd(fd: 1, events: Int16(POLLOUT), revents: 0)
    if poll(&state, 1, 0) == 1, Int32(state.revents) & (POLLERR | POLLHUP) != 0 { return nil }
    return "some of it could not be written"
  }
}

/// Lost output.
struct OutputError: Error, CustomStringConvertible {
  let reason: String

  /// What was found and what to do.
  var description: String {
    "Output was lost: standard output cannot be written: \(reason). "
      + "Free disk space, or redirect the output elsewhere."
  }
}

import CSystem
import Foundation

/// Standard input, output and error as the program finds them, and whether what it prints arrives.
enum StandardStreams {
  /// Makes sure that all three are open, and that a reader who goes away does not end the program.
  ///
  /// A file that is opened while one of them is closed would get its number, and what is printed.
  static func prepare() {
    for descriptor: Int32 in 0...2
    where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      let opened = open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY)
      // Those before it are open, so it gets the number that was missing.
      if opened >= 0, opened != descriptor {
        dup2(opened, descriptor)
        close(opened)
      }
    }
    signal(SIGPIPE, SIG_IGN)
  }

  /// Writes out what was printed.
  ///
  /// - Returns: why some of it is lost, nil where all has arrived or its reader did not want more.
  static func flush() -> String? {
    let code = CSystem_FlushOutput()
    guard code != 0, code != EPIPE else { return nil }
    if code > 0 { return String(cString: strerror(code)) }
    // An earlier write has failed, and nobody has kept the reason.
    var state = pollfd(fd: 1, events: Int16(POLLOUT), revents: 0)
    if poll(&state, 1, 0) == 1, Int32(state.revents) & (POLLERR | POLLHUP) != 0 { return nil }
    return "a part of it could not be written"
  }
}

/// Printed text that has not arrived.
struct OutputError: Error, CustomStringConvertible {
  let reason: String

  /// What was found and what to do.
  var description: String {
    "What the command prints is lost: standard output cannot be written: \(reason). "
      + "Free the disk, or send it elsewhere."
  }
}

import Foundation
import Synchronization

/// The output of several processes, with each line prefixed by the process's rank.
final class PrefixedOutput: Sendable {
  private let printing = DispatchGroup()
  private let output = Mutex(Stream())
  private let errors = Mutex(Stream())
  private let progress = Atomic<Int>(0)
  private let writing = Atomic<Int>(0)

  private struct Stream {
    /// The error after which nothing more was written.
    var failure: Int32?

    /// Writes a complete line. A closed pipe is not a failure.
    mutating func write(_ line: Data, to descriptor: Int32) {
      let code = line.withUnsafeBytes { PrefixedOutput.write($0, to: descriptor) }
      if code != 0, code != EPIPE { failure = failure ?? code }
    }
  }

  /// A pipe whose lines are written to standard output (1) or error (2).
  func pipe(_ rank: Int, to descriptor: Int32) -> Pipe {
    let pipe = Pipe()
    let rest = Mutex(Data())
    printing.enter()
    pipe.fileHandleForReading.readabilityHandler = { [self] source in
      let data = source.availableData
      let lines = rest.withLock { Self.lines(of: data, after: &$0) }
      for line in lines { write(Data("[\(rank)] ".utf8) + line, to: descriptor) }
      progress.wrappingAdd(1, ordering: .relaxed)
      if data.isEmpty {
        source.readabilityHandler = nil
        printing.leave()
      }
    }
    return pipe
  }

  /// Waits until all output is written, as long as there is progress or a reader is slow.
  ///
  /// - Parameter stopping: returns whether to stop waiting for a reader.
  /// - Returns: the reason why standard output was lost, nil where it was not.
  func finish(stopping: () -> Bool) -> String? {
    var seen = -1
    while printing.wait(timeout: .now() + 2) == .timedOut {
      let now = progress.load(ordering: .relaxed)
      // A background program of a process may keep its pipe open.
      if now == seen, writing.load(ordering: .relaxed) == 0 || stopping() { break }
      seen = now
    }
    // A blocked write may hold the lock.
    return output.withLockIfAvailable { $0.failure.map { String(cString: strerror($0)) } } ?? nil
  }

  /// Takes the complete lines from the data so far; the end of the data (no bytes) completes the
  /// last.
  private static func lines(of data: Data, after rest: inout Data) -> [Data] {
    rest += data
    var lines: [Data] = []
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      lines.append(rest[...end])
      rest = Data(rest[rest.index(after: end)...])
    }
    if data.isEmpty, !rest.isEmpty {
      lines.append(rest + Data("\n".utf8))
      rest = Data()
    }
    return lines
  }

  private func write(_ line: Data, to descriptor: Int32) {
    writing.wrappingAdd(1, ordering: .relaxed)
    defer { writing.wrappingSubtract(1, ordering: .relaxed) }
    if descriptor == 1 {
      output.withLock { $0.write(line, to: 1) }
    } else {
      errors.withLock { $0.write(line, to: 2) }
    }
  }

  /// Writes all bytes.
  ///
  /// - Returns: the code of the error, 0 for none.
  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno == EAGAIN {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, 1000)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}

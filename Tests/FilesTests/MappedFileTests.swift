import CFiles
import Files
import Foundation
import Testing

@Suite struct MappedFileTests {
  @Test func aFileCutShortEndsTheProcessWithItsName() async throws {
    try await withFolder { folder in
      let result = await #expect(
        processExitsWith: .exitCode(74), observing: [\.standardErrorContent]
      ) { [folder = folder as String] in
        for name in ["other", "cut"] {
          let path = URL(fileURLWithPath: "\(folder)/\(name)")
          try Data(repeating: 7, count: 100_000).write(to: path)
        }
        let other = try MappedFile(folder + "/other")
        let file = try MappedFile(folder + "/cut")
        truncate(folder + "/cut", 10)
        let sum = file.bytes.reduce(0) { $0 + Int($1) }
        withExtendedLifetime((other, file)) { print(sum) }
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(text.contains("\(folder)/cut was truncated while it was being read."), "\(text)")
    }
  }

  /// Memory that is no mapped file of this type ends the process as ever.
  @Test func anotherFaultIsNotExplained() async throws {
    try await withFolder { folder in
      let result = await #expect(
        processExitsWith: .signal(SIGBUS), observing: [\.standardErrorContent]
      ) { [folder = folder as String] in
        signal(SIGBUS, SIG_DFL)
        let path = folder + "/x"
        try Data(repeating: 7, count: 100_000).write(to: URL(fileURLWithPath: path))
        let file = try MappedFile(path)
        let descriptor = open(path, O_RDONLY)
        let start = try #require(mmap(nil, 100_000, PROT_READ, MAP_PRIVATE, descriptor, 0))
        truncate(path, 0)
        let byte = start.load(fromByteOffset: 50_000, as: UInt8.self)
        withExtendedLifetime(file) { print(byte) }
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(!text.contains("was truncated"), "\(text)")
    }
  }

  @Test func knowsWhichFileAnAddressIsIn() {
    let first = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 8)
    defer { first.deallocate() }
    let long = String(repeating: "long/", count: 200) + "name"
    let slots = [
      cfiles_remember(first, 40, "first"), cfiles_remember(first + 40, 60, long),
    ]
    func path(_ offset: Int) -> String? { cfiles_path(first + offset).map { String(cString: $0) } }
    #expect(path(0) == "first" && path(39) == "first")
    #expect(path(40)?.hasPrefix("...") == true && path(99)?.hasSuffix("long/name") == true)
    #expect(path(40)?.utf8.count == 511)
    #expect(path(-1) == nil && path(100) == nil)
    cfiles_forget(slots[0])
    #expect(path(0) == nil && path(40) != nil)
    cfiles_forget(slots[1])
    #expect(path(40) == nil)
  }

  @Test func doesNotWaitForAPipe() throws {
    try withFolder { folder in
      try #require(mkfifo(folder + "/pipe", 0o600) == 0)
      #expect(
        throws: FileError.unreadable(path: folder + "/pipe", reason: "it is not a regular file")
      ) {
        try MappedFile(folder + "/pipe")
      }
    }
  }
}

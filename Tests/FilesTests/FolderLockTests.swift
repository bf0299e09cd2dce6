import Files
import Foundation
import Testing

@Suite struct FolderLockTests {
  @Test func oneHoldsAFolderAtATime() throws {
    try withFolder { folder in
      do {
        let lock = try FolderLock(folder)
        #expect(lock.isHeld)
        let error = #expect(throws: FileError.self) { try FolderLock(folder) }
        guard case .locked(folder, let holder) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        var host = [CChar](repeating: 0, count: 256)
        gethostname(&host, 255)
        let name = String(
          decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        #expect(holder.hasPrefix("process \(getpid()) on host \(name) since 2"), "\(holder)")
        let text = try #require(error?.description)
        #expect(text.hasPrefix("\(folder) is in use by process \(getpid())"))
        #expect(text.contains("wait for it, stop it or choose another output folder"))
        withExtendedLifetime(lock) {}
      }
      #expect(throws: Never.self) { try FolderLock(folder) }
    }
  }

  @Test func twoFoldersHaveTwoLocks() throws {
    try withFolder { first in
      try withFolder { second in
        let locks = [try FolderLock(first), try FolderLock(second)]
        #expect(locks.map(\.isHeld) == [true, true])
      }
    }
  }

  @Test func theLockEndsWithItsProcess() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
        let lock = try FolderLock(folder)
        withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
      }
      let text = String(decoding: try contents(folder + "/.lock"), as: UTF8.self)
      #expect(text.hasPrefix("process ") && !text.hasPrefix("process \(getpid()) "), "\(text)")
      #expect(try FolderLock(folder).isHeld)
    }
  }

  @Test func anotherFileOfTheNameStays() throws {
    try withFolder { folder in
      try put("my own lock", folder + "/.lock")
      #expect(
        throws: FileError.otherKind(
          path: folder + "/.lock", found: "something else", expected: "the lock of a folder")
      ) { try FolderLock(folder) }
      #expect(try contents(folder + "/.lock") == Array("my own lock".utf8))
    }
  }

  @Test func aFolderThatIsNotThereCannotBeLocked() {
    #expect(
      throws: FileError.unwritable(path: "/nowhere/.lock", reason: "No such file or directory")
    ) { try FolderLock("/nowhere") }
  }
}

import Foundation
import Testing

@testable import Files

@Suite struct HomeFolderTests {
  @Test(arguments: [
    ("~", "/home/x"), ("~/", "/home/x/"), ("~/a/b", "/home/x/a/b"), ("./~", "./~"), ("a/~", "a/~"),
    ("a~", "a~"), ("", ""), ("/a", "/a"), ("~nobody-of-this-name/a", "~nobody-of-this-name/a"),
    ("~root", "/root"), ("~root/a", "/root/a"),
  ])
  func aTildeAtTheStartIsAHomeFolder(path: String, expected: String) {
    #expect(expandedPath(path, environment: ["HOME": "/home/x"]) == expected)
  }

  @Test func withoutTheVariableItIsTheUsersEntry() throws {
    let entry = try #require(getpwuid(getuid()))
    let home = String(cString: entry.pointee.pw_dir)
    #expect(expandedPath("~/a", environment: [:]) == home + "/a")
    #expect(expandedPath("~", environment: ["HOME": ""]) == home)
  }

  @Test func aHomeThatEndsInASlashHasOne() {
    #expect(expandedPath("~/a", environment: ["HOME": "/"]) == "/a")
    #expect(expandedPath("~", environment: ["HOME": "/"]) == "/")
  }
}

import Testing

@testable import Recipe

private typealias Table = [String: [String: Int]]

@Suite struct AliasTests {
  @Test(
    arguments: [
      ("a: &x {n: 1}\nb: *x", ["a": ["n": 1], "b": ["n": 1]]),
      ("a: &x\n  n: 1\nb: *x\nc: *x", ["a": ["n": 1], "b": ["n": 1], "c": ["n": 1]]),
      ("a: &x {n: 1}\nb: &x {n: 2}\nc: *x", ["a": ["n": 1], "b": ["n": 2], "c": ["n": 2]]),
      ("a: {n: &x 1}\nb: {m: *x, k: *x}", ["a": ["n": 1], "b": ["m": 1, "k": 1]]),
      ("&k a: {n: 1}\nb: {*k : 2}", ["a": ["n": 1], "b": ["a": 2]]),
      ("a: {n*m: 1, '*': 2, \"*x\": 3}", ["a": ["n*m": 1, "*": 2, "*x": 3]]),
      ("a: {\u{E000}: 1, '*': 2}", ["a": ["\u{E000}": 1, "*": 2]]),
      ("# *x\na: {n: 1} # *y", ["a": ["n": 1]]),
    ] as [(String, [String: [String: Int]])])
  func aliasesStandForWhatTheyName(yaml: String, expected: [String: [String: Int]]) throws {
    #expect(try read(yaml) == expected)
  }

  @Test(arguments: [
    ("a: '*x'", "*x"), ("a: \"2 * 3\"", "2 * 3"), ("a: 2 * 3", "2 * 3"), ("a: x*", "x*"),
    ("a: |\n  *b* c\n", "*b* c\n"), ("a: >-\n  *b\n  c\n", "*b c"), ("a: **/x", nil),
  ])
  func aStarInATextStays(yaml: String, expected: String?) throws {
    guard let expected else {
      #expect(message(yaml, as: [String: String].self).contains("`**/x` is no alias"))
      return
    }
    #expect(try read(yaml) as [String: String] == ["a": expected])
  }

  @Test(arguments: [
    ("a: 1\nb: *x", "r.yaml:2:4: this is not valid YAML: the alias `*x` names nothing"),
    ("a: *x\nb: &x 1", "r.yaml:1:4: this is not valid YAML: the alias `*x` names nothing"),
    ("a: &x [*x]", "r.yaml:1:8: this is not valid YAML: the alias `*x` names nothing"),
    ("a: *.txt", "r.yaml:1:4: this is not valid YAML: `*.txt` is no alias"),
    ("a: &x 1\nb: *x c", "r.yaml:2:4: this is not valid YAML: `*x c` is no alias"),
    ("a: &x 1\nb: &y *x", "r.yaml:2:4: this is not valid YAML: `*x` is no alias"),
    ("a: *", "r.yaml:1:4: this is not valid YAML: `*` is no alias"),
  ])
  func aWrongAliasIsNamed(yaml: String, expected: String) {
    let found = message(yaml, as: [String: Int].self)
    #expect(found.hasPrefix(expected), "\(found)")
    #expect(found.contains("in quotes"), "\(found)")
  }

  /// Ten aliases of ten aliases, and so on.
  private func laughs(_ levels: Int, _ line: (String, String) -> String) -> String {
    var lines = ["l0: &l0 [1, 2]"]
    for level in 1...levels {
      let inner = Array(repeating: "*l\(level - 1)", count: 10).joined(separator: ", ")
      lines.append(line("l\(level)", inner))
    }
    return lines.joined(separator: "\n")
  }

  @Test func aliasesOfAliasesAreBounded() {
    let lists = message(laughs(12) { "\($0): &\($0) [\($1)]" }, as: [String: [Int]].self)
    #expect(lists.hasPrefix("r.yaml:6:5: this is not valid YAML: with its aliases"), "\(lists)")
    let keys = message(laughs(12) { "\($0): &\($0) [{[\($1)]: 1}]" }, as: [String: [Int]].self)
    #expect(keys.contains("this is not valid YAML: with its aliases"), "\(keys)")
    let pairs = (0..<5000).map { "k\($0): 1" }.joined(separator: ", ")
    let merges = (0..<100_000).map { _ in "{<<: *a}" }.joined(separator: ", ")
    let merged = message("a: &a {\(pairs)}\nb: [\(merges)]", as: [String: [Int]].self)
    #expect(merged.hasPrefix("r.yaml:2:4: this is not valid YAML: with its aliases"), "\(merged)")
  }
}

@Suite struct MergeKeyTests {
  @Test(
    arguments: [
      ("a: &x {n: 1, m: 2}\nb: {<<: *x, n: 3}", ["a": ["n": 1, "m": 2], "b": ["n": 3, "m": 2]]),
      ("a: &x {n: 1, m: 2}\nb: {n: 3, <<: *x}", ["a": ["n": 1, "m": 2], "b": ["n": 3, "m": 2]]),
      (
        "a: &x {n: 1}\nb: &y {n: 2, k: 3}\nc:\n  <<: [*x, *y]",
        ["a": ["n": 1], "b": ["n": 2, "k": 3], "c": ["n": 1, "k": 3]]
      ),
      ("a: {<<: {n: 1}}", ["a": ["n": 1]]),
      ("a: {<<: {<<: {n: 1}, m: 2}}", ["a": ["n": 1, "m": 2]]),
      ("a: {<<: []}", ["a": [:]]), ("a: {'<<': 1}", ["a": ["<<": 1]]),
      ("a: &x {n: 1}\n<<: {b: *x}", ["a": ["n": 1], "b": ["n": 1]]),
    ] as [(String, [String: [String: Int]])])
  func mappingsAreMerged(yaml: String, expected: [String: [String: Int]]) throws {
    #expect(try read(yaml) == expected)
  }

  @Test(arguments: [
    ("a:\n  <<: 1", "r.yaml:2:3", "has \"1\""), ("a:\n  <<: [1]", "r.yaml:2:3", "has a list of 1"),
    ("a:\n  n: 1\n  <<:", "r.yaml:3:3", "has empty"),
  ])
  func whatIsNoMappingIsRefused(yaml: String, place: String, words: String) {
    let found = message(yaml, as: Table.self)
    #expect(found.hasPrefix("\(place): this is not valid YAML: the merge key `<<` \(words): give"))
  }

  @Test func aMergeKeyMayStandOnce() {
    let found = message("a: {<<: {n: 1}, <<: {m: 1}}", as: Table.self)
    #expect(found.contains("the key `<<` is given more than once"))
  }
}

@Suite struct YAMLBoundsTests {
  @Test(arguments: [
    String(repeating: "[", count: 200) + String(repeating: "]", count: 200),
    String(repeating: "[", count: 100_000),
    String(repeating: "{a: ", count: 500) + "1" + String(repeating: "}", count: 500),
    String(repeating: "- ", count: 5000) + "1", String(repeating: "? ", count: 5000) + "1",
    (0..<900).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
  ])
  func deepNestingIsRefused(yaml: String) {
    let found = message(yaml, as: [String: Int].self)
    #expect(found.contains("more than 100 deep in each other"), "\(found)")
  }

  @Test func aliasesDoNotDeepen() {
    let lines = (1...150).map { "l\($0): &l\($0) [*l\($0 - 1)]" }
    let found = message((["l0: &l0 1"] + lines).joined(separator: "\n"), as: [String: Int].self)
    #expect(found.hasPrefix("r.yaml:101:") && found.contains("more than 100 deep"), "\(found)")
    let few = (["l0: &l0 1"] + lines.prefix(90)).joined(separator: "\n")
    #expect(!message(few, as: [String: Int].self).contains("deep"))
  }

  @Test(arguments: [
    ("a: 1\n---\nb: 1", 2), ("---\na: 1\n---\n", 3), ("a: 1\n...\nb: 1", 3), ("---\n---\na: 1", 2),
  ])
  func aSecondDocumentIsRefused(yaml: String, line: Int) {
    let found = message(yaml, as: [String: Int].self)
    #expect(found.hasPrefix("r.yaml:\(line):"), "\(found)")
    #expect(found.contains("second document") || found.contains("<document start>"), "\(found)")
  }

  @Test(arguments: [
    ("a: !!str 1", "!!str"), ("a: !!int '1'", "int"), ("a: !x 1", "!x"), ("a: ! 1", "str"),
    ("a: !!float 1", "float"), ("!!set {a}", "set"), ("!y {a: 1}", "!y"), ("a: !!omap [1]", "omap"),
  ])
  func tagsThatChangeValuesAreRefused(yaml: String, tag: String) {
    let found = message(yaml, as: [String: Int].self)
    #expect(found.contains("the tag ") && found.contains("is not known here"), "\(found)")
  }

  @Test func keysThatReadTheSameAreOne() {
    let found = message("1: 2\n\"1\": 3", as: [String: Int].self)
    #expect(found == "r.yaml:2:1: the key `1` is given more than once: keep one")
  }

  @Test(arguments: ["\r\n", "\n", "\r"]) func linesAreCountedByAnyEnd(_ end: String) {
    let found = message("a: 1\(end)b: 2\(end)c: x\u{7}\(end)", as: [String: Int].self)
    #expect(found.hasPrefix("r.yaml:3:"), "\(found)")
    let kind = message("a: 1\(end)b: x\(end)", as: [String: Int].self)
    #expect(kind.hasPrefix("r.yaml:2:4: `b` is \"x\""), "\(kind)")
  }
}

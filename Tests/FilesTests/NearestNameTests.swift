import Testing

@testable import Files

@Suite struct NearestNameTests {
  @Test(
    arguments: [
      ("bacth", ["name", "batch"], "batch"), ("order", ["order"], "order"),
      ("Batch", ["batch"], "batch"), ("enhanced_ration", ["enhanced_ratio"], "enhanced_ratio"),
      ("x", ["y", "zoo"], nil), ("velocity", ["order", "rate"], nil), ("a", [], nil),
    ] as [(String, [String], String?)])
  func findsWhatWasMeant(word: String, names: [String], expected: String?) {
    #expect(nearestName(to: word, among: names) == expected)
  }

  @Test func countsSlips() {
    #expect(edits(from: "abcd", to: "abdc") == 1)
    #expect(edits(from: "", to: "abc") == 3)
    #expect(edits(from: "kitten", to: "sitting") == 3)
  }
}

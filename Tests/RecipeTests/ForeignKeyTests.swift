import Recipe
import Testing

/// Keys that configurations of other programs have, of which one value is supported.
@Suite struct ForeignKeyTests {
  /// As configs of other programs have them.
  private struct Foreign: RecipeGroup, Equatable {
    var output: Int? = 3

    static let defaults = Foreign()
    static let fields: [Field] = [
      Field("class", only: "Plain", "the class"), Field("flag", only: false, "a flag"),
      Field("output", \.output, in: 1...9, "the output"),
    ]
  }

  @Test(arguments: ["{}", "{class: Plain, flag: false}", "{class: null, flag: ~, output: 3}"])
  func theValueThatIsSupportedIsTaken(yaml: String) throws {
    #expect(try read(yaml) == Foreign())
    #expect(try RecipeWriter.line(Foreign()) == "{class: Plain, flag: false, output: 3}")
  }

  @Test(arguments: [
    ("class: Other", "r.yaml:1:8: `class` is Other: only Plain is supported"),
    ("flag: true", "r.yaml:1:7: `flag` is true: only false is supported"),
    ("output: 0", "r.yaml:1:9: `output` is 0: it must be from 1 to 9"),
    ("flag: [a]", "r.yaml:1:7: `flag` is a list of 1: true or false was expected"),
  ])
  func othersAreNamed(yaml: String, expected: String) {
    #expect(message(yaml, as: Foreign.self) == expected)
  }

  @Test func aRangeLeavesNullAlone() throws {
    #expect(try read("output: null", as: Foreign.self).output == nil)
    #expect(
      RecipeReference.text(of: Foreign.self, title: "Foreign").contains(
        "| `class` | `Plain` | `Plain` | the class |"))
  }
}

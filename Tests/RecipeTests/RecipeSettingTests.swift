import Testing

@testable import Recipe

private struct Words: Decodable, Equatable {
  struct Inner: Decodable, Equatable {
    var name: String?
    var size: Int?
  }

  var name: String?
  var size: Int?
  var inner: Inner?
  var list: [String]?
}

private func read(_ yaml: String = "name: a", _ settings: RecipeSetting...) throws -> Words {
  try RecipeDecoder.decode(yaml: yaml, file: "r.yaml", settings: settings)
}

private func refusal(of setting: String) -> String {
  do {
    return "no error: \(try read("name: a", RecipeSetting(setting)))"
  } catch {
    return "\(error)"
  }
}

/// Texts that YAML reads as something else, or not at all.
private let strangeTexts = [
  "out/try #2", "#", "# all", "a: b", "- a", "true", "12", "1e3", "null", "~", "", " a ", "\"", "'",
  "\\", "it's", "a\nb", "a\tb", "*a", "&a b", "!x", "@", "`", "%A", "--- a", "[", "{a: 1}", "a,b",
  "\u{1}", "\u{7F}", "\u{85}", "\u{2028}", "\u{FEFF}", "é 😀", "<<", "a]b", "|", "> a", "? a",
]

@Suite struct LiteralSettingTests {
  @Test(arguments: strangeTexts)
  func aTextIsTakenAsItIs(text: String) throws {
    #expect(try read("name: a", RecipeSetting(["name"], to: text)).name == text)
    let inner = try read("name: a", RecipeSetting(["inner", "name"], to: text)).inner
    #expect(inner == .init(name: text))
    let list = try read("list: [a, b]", RecipeSetting(["list", "1"], to: text)).list
    #expect(list == ["a", text])
  }

  /// The library drops a byte order mark at the start of a scalar.
  @Test(arguments: strangeTexts.filter { $0 != "\u{FEFF}" })
  func aTextInQuotesIsReadBack(text: String) throws {
    #expect(try read("name: a", RecipeSetting("name=" + yamlQuoted(text))).name == text)
  }

  @Test(arguments: [0, 7, -7, Int.max, Int.min])
  func aNumberIsTakenAsItIs(number: Int) throws {
    let setting = RecipeSetting(["inner", "size"], to: number)
    #expect(try read("name: a", setting).inner?.size == number)
  }

  @Test func aTextIsNoNumber() throws {
    let error = #expect(throws: RecipeError.self) {
      try read("name: a", RecipeSetting(["size"], to: "12"))
    }
    #expect(
      error?.description == "set by the command: size=\"12\": `size` is the quoted text \"12\": "
        + "a whole number was expected")
  }

  @Test func messagesNameWhatBroughtTheOverride() throws {
    let text = #expect(throws: RecipeError.self) {
      try read("name: a", RecipeSetting(["nam"], to: "x", from: "--output:"))
    }
    #expect(text?.description.hasPrefix("--output: nam=\"x\": unknown key `nam`") == true)
    let parsed = #expect(throws: RecipeError.self) {
      try read("name: a", RecipeSetting("size=x", from: "c.yaml, methods[0].set:"))
    }
    #expect(parsed?.description.hasPrefix("c.yaml, methods[0].set: size=x: `size`") == true)
    let broken = #expect(throws: RecipeError.self) {
      try RecipeSetting("size", from: "c.yaml, base:")
    }
    #expect(broken?.description.hasPrefix("c.yaml, base: size: no `=`") == true)
  }
}

@Suite struct WholeValueTests {
  @Test(arguments: [
    ("name=run #2", "run"), ("name=run # 2", "run"), ("name=run #", "run"),
    ("name=\"run\" #2", "run"), ("name='run' # 'b'", "run"), ("name=\"run\"#\"", "run"),
    ("name= run", "run"), ("name=run ", "run"), ("name=a\nb", "a b"), ("name=--- a", "a"),
    ("name=a\n...", "a"), ("name=!!str a", "a"), ("name=&x a", "a"), ("name=|\n a", "a"),
    ("size=12 #3", "12"), ("size=12\n#3", "12"), ("size=!!int 3", "3"),
  ])
  func whatYAMLCutsShortIsRefused(setting: String, read: String) {
    let found = refusal(of: setting)
    let (key, value) = (setting.prefix(4), setting.dropFirst(5))
    let hint = "--set " + shellQuoted("\(key)=" + yamlQuoted(String(value)))
    #expect(found.hasPrefix("--set \(setting): YAML would read \"\(read)\": "), "\(found)")
    #expect(found.hasSuffix("put it in quotes: " + hint), "\(found)")
  }

  @Test(arguments: [
    ("list=[a, b] # c", "a list of 2"), ("list=[a, # c]\nb]", "a list of 2"),
    ("list=[a]\n...", "a list of 1"), ("list=&x [a]", "a list of 1"), ("inner={} #}", "a mapping"),
    ("name=#x", "empty"), ("name=&x", "empty"), ("name=---", "empty"),
    ("name=a: b", "a mapping, which is to be written in braces"),
    ("list=- a", "a list, which is to be written in brackets"),
  ])
  func whatIsNoWholeValueIsRefused(setting: String, words: String) {
    let found = refusal(of: setting)
    #expect(found.hasPrefix("--set \(setting): YAML ") && found.contains("in quotes: --set '"))
    #expect(found.contains("would read \(words)") || found.contains("finds no value"), "\(found)")
  }

  @Test(arguments: [
    "name=\"run\" 2", "list=[a] b", "name=a\n---\nb", "name=*a", "name=@a", "name=%a", "name=[",
    "name=!x", "name=!x a", "name=!!str 1",
  ])
  func whatIsNoYAMLIsRefused(setting: String) {
    let found = refusal(of: setting)
    #expect(found.hasPrefix("--set \(setting): the value is not valid YAML: "), "\(found)")
    #expect(found.contains("put it in quotes: --set '"), "\(found)")
  }

  @Test func wholeValuesAreRead() throws {
    #expect(try read("name: a", RecipeSetting("name=a#b")).name == "a#b")
    #expect(try read("name: a", RecipeSetting("name=\"a #b\"")).name == "a #b")
    #expect(try read("name: a", RecipeSetting("name='it''s #1'")).name == "it's #1")
    #expect(try read("name: a", RecipeSetting("name=C:\\x y=z")).name == "C:\\x y=z")
    #expect(try read("name: a", RecipeSetting("size= 12 ")).size == 12)
    #expect(try read("name: a", RecipeSetting("list=[\"a #b\", c]")).list == ["a #b", "c"])
    #expect(try read("name: a", RecipeSetting("inner={name: 'x # y'}")).inner?.name == "x # y")
    #expect(try read("name: a", RecipeSetting("name=null")).name == nil)
  }
}

@Suite struct SettingPathTests {
  @Test(arguments: [
    ("name =x", "has a blank"), (" name=x", "has a blank"), ("na me=x", "has a blank"),
    ("na\tme=x", "has a blank"), ("'name'=x", "has the character \"'\""),
    ("{name=x", "has the character \"{\""), ("name:=x", "has the character \":\""),
    ("=x", "a key of the path is empty"), ("a..b=x", "a key of the path is empty"),
    (".a=x", "a key of the path is empty"), ("list[=x", "`list[` is no key"),
    ("list[]=x", "`list[]` is no key"), ("list[x]=x", "`list[x]` is no key"),
    ("list]0[=x", "`list]0[` is no key"), ("list[0]x=x", "`list[0]x` is no key"),
    ("[0]=x", "`[0]` is no key"), ("list[-1]=x", "`list[-1]` is no key"),
  ])
  func aPathThatIsNoneIsRefused(setting: String, reason: String) {
    let found = refusal(of: setting)
    #expect(found.hasPrefix("--set \(setting): ") && found.contains(reason), "\(found)")
    #expect(found.contains("write it as in method.order=1"), "\(found)")
  }

  @Test func pathsLeadToElements() throws {
    #expect(try RecipeSetting("a[2][0].b.1=x").path == ["a", "2", "0", "b", "1"])
    #expect(try read("list: [a, b]", RecipeSetting("list[1]=c")).list == ["a", "c"])
    for index in ["01", "+1", "-1", "2", "1_0", "x"] {
      #expect(throws: RecipeError.self) {
        try read("list: [a, b]", RecipeSetting("list.\(index)=c"))
      }
    }
    #expect(refusal(of: "list[99999999999999999999]=c").contains("list"))
  }
}

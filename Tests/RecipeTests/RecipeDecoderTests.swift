import Testing

@testable import Recipe

/// A recipe with one of everything that the decoder reads.
private struct Sample: Decodable, Equatable {
  enum Loss: String, Codable, CaseIterable { case barron, l2, huber }

  struct Method: RecipeGroup, Equatable {
    var order = 2
    var rate = 0.99
    var range = Interval(low: 0, high: 1)
    var loss = Loss.barron

    static let defaults = Method()
    static let fields: [Field] = [
      Field("order", \.order, in: 0...8, "steps of the target network"),
      Field("rate", \.rate, where: { $0 > 0 }, else: "it must be more than 0", "the rate"),
      Field("range", \.range, "where it applies"),
      Field("loss", \.loss, "how far a prediction is from its target"),
    ]
  }

  struct Interval: Codable, Equatable {
    var low: Double
    var high: Double

    init(low: Double, high: Double) { (self.low, self.high) = (low, high) }

    init(from decoder: any Decoder) throws {
      var list = try decoder.unkeyedContainer()
      low = try list.decode(Double.self)
      high = try list.decode(Double.self)
      if low >= high { throw InvalidRecipeValue([low, high], "the first must be the smaller") }
    }

    func encode(to encoder: any Encoder) throws { try [low, high].encode(to: encoder) }
  }

  struct Layer: RecipeGroup, Equatable {
    var width = 0
    var heads = 1

    static let defaults = Layer()
    static let fields: [Field] = [
      Field("width", \.width, "features of a token").required,
      Field("heads", \.heads, "heads of attention"),
    ]

    func validate() throws {
      if width % heads != 0 { throw invalid(\.heads, "it must divide the width, \(width)") }
    }
  }

  var name: String
  var batch: Int
  var method: Method
  var layers: [Layer]?
  var weights: [String: Double]?
  var shuffle: Bool?
}

private let valid = """
  name: mnist
  batch: 128
  method:
    order: 1
    rate: 1e-4
    range: [.5, 1]
    loss: l2
  layers:
    - width: 64
      heads: 4
    - { width: 1_000 }
  weights: { e2e: 1, any: 2.5 }
  shuffle: true
  """

private func read<Value: Decodable>(
  _ yaml: String, as type: Value.Type = Value.self, set settings: String...
) throws -> Value {
  try RecipeDecoder.decode(
    yaml: yaml, file: "r.yaml", settings: settings.map { try RecipeSetting($0) })
}

private func message(_ yaml: String, set settings: [String] = []) -> String {
  do {
    let all = try settings.map { try RecipeSetting($0) }
    _ = try RecipeDecoder.decode(Sample.self, yaml: yaml, file: "r.yaml", settings: all)
    return "no error"
  } catch {
    return "\(error)"
  }
}

@Suite struct RecipeDecoderTests {
  @Test func readsAllKinds() throws {
    let sample: Sample = try read(valid)
    #expect(sample.name == "mnist")
    #expect(sample.batch == 128)
    #expect(sample.method.order == 1)
    #expect(sample.method.rate == 1e-4)
    #expect(sample.method.range == .init(low: 0.5, high: 1))
    #expect(sample.method.loss == .l2)
    #expect(sample.layers?.map(\.width) == [64, 1000])
    #expect(sample.layers?.map(\.heads) == [4, 1])
    #expect(sample.weights == ["e2e": 1, "any": 2.5])
    #expect(sample.shuffle == true)
  }

  @Test func takesDefaultsForAbsentKeys() throws {
    let sample: Sample = try read("name: 7\nbatch: 8\nmethod: {}\nlayers: ~\n")
    #expect(sample.name == "7")
    #expect(sample.method.order == 2)
    #expect(sample.method.range == .init(low: 0, high: 1))
    #expect(sample.layers == nil)
    #expect(sample.shuffle == nil)
  }

  @Test(arguments: [
    (
      "name: a\nbacth: 1\nbatch: 2\nmethod: {}",
      "r.yaml:2:1: unknown key `bacth` at the top level: did you mean `batch`? "
        + "Valid keys: `name`, `batch`, `method`, `layers`, `weights`, `shuffle`"
    ),
    (
      "name: a\nbatch: 2\nmethod:\n  velocity: 1",
      "r.yaml:4:3: unknown key `velocity` in `method`: "
        + "Valid keys: `order`, `rate`, `range`, `loss`"
    ),
    (
      "name: a\nbacth: 2\nmethod: {}",
      "r.yaml:1:1: the key `batch` is missing at the top level; "
        + "`bacth` is no key here: did you mean `batch`?"
    ),
    (
      "name: a\nbatch: 2\nmethod: {}\nlayers:\n  - heads: 2",
      "r.yaml:5:5: the key `width` is missing in `layers[0]`: add it"
    ),
    ("name: a\nname: b", "r.yaml:1:1: the key `name` is given more than once: keep one"),
    ("", "r.yaml: the recipe is empty: a mapping of keys to values was expected"),
    ("# only words\n", "r.yaml: the recipe is empty: a mapping of keys to values was expected"),
    ("- 1", "r.yaml:1:1: the top level is a list of 1: a mapping of keys to values was expected"),
  ])
  func namesWrongKeys(yaml: String, expected: String) {
    #expect(message(yaml) == expected)
  }

  @Test(arguments: [
    ("batch: many", "r.yaml:1:8: `batch` is \"many\": a whole number was expected"),
    ("batch: 1.5", "r.yaml:1:8: `batch` is \"1.5\": a whole number was expected"),
    ("batch: '1'", "r.yaml:1:8: `batch` is the quoted text \"1\": a whole number was expected"),
    ("batch: 0x10", "r.yaml:1:8: `batch` is \"0x10\": a whole number was expected"),
    ("batch: 1e3", "r.yaml:1:8: `batch` is \"1e3\": a whole number was expected"),
    ("batch: 99999999999999999999", "`batch` is \"99999999999999999999\": a whole number"),
    (
      "batch: -9223372036854775809",
      "a whole number from -9223372036854775808 to 9223372036854775807"
    ),
    ("weights: {any: 1e-400}", "is \"1e-400\": 0, or a number whose size is at least 5e-324 was"),
    ("batch: [1]", "r.yaml:1:8: `batch` is a list of 1: a whole number was expected"),
    ("batch:", "`batch` is empty: a whole number was expected"),
    ("batch: {a: 1}", "`batch` is a mapping: a whole number was expected"),
    ("shuffle: yes", "`shuffle` is \"yes\": true or false was expected"),
    ("shuffle: \"true\"", "`shuffle` is the quoted text \"true\": true or false was expected"),
    ("name: [a]", "`name` is a list of 1: text was expected"),
    ("name: null", "`name` is empty: text was expected"),
    ("layers: {width: 1}", "`layers` is a mapping: a list was expected"),
    ("layers: [{width: x}]", "r.yaml:1:18: `layers[0].width` is \"x\": a whole number was"),
    ("weights: {any: inf}", "`weights.any` is \"inf\": a finite number was expected"),
    ("weights: {any: .inf}", "`weights.any` is \".inf\": a finite number was expected"),
    ("weights: {any: .nan}", "`weights.any` is \".nan\": a finite number was expected"),
    ("weights: {any: 1e999}", "`weights.any` is \"1e999\": a finite number was expected"),
    ("weights: {any: '1'}", "`weights.any` is the quoted text \"1\": a finite number was"),
    ("method: {range: [0]}", "`method.range` is a list of 1: a list of 2 or more was expected"),
    ("method: {range: [0, 1, 2]}", "`method.range` is a list of 3: a list of 2 was expected"),
    ("method: {order: }", "`method.order` is empty: a whole number was expected"),
  ])
  func namesWrongKinds(line: String, expected: String) {
    let key = line.prefix(while: { $0 != ":" })
    let others = ["name: a", "batch: 1", "method: {}"].filter { !$0.hasPrefix(key) }
    let found = message(([line] + others).joined(separator: "\n"))
    #expect(found.contains(expected), "\(found)")
  }

  @Test(arguments: [
    ("order: 9", "r.yaml:2:10: `method.order` is 9: it must be from 0 to 8"),
    ("rate: -0.5", "r.yaml:2:9: `method.rate` is -0.5: it must be more than 0"),
    ("range: [1, 0]", "r.yaml:2:10: `method.range` is [1.0, 0.0]: the first must be the smaller"),
    (
      "loss: baron",
      "r.yaml:2:9: `method.loss` is \"baron\": did you mean \"barron\"? "
        + "Valid values: \"barron\", \"l2\", \"huber\""
    ),
    ("loss: 1", "r.yaml:2:9: `method.loss` is \"1\": Valid values: \"barron\", \"l2\", \"huber\""),
  ])
  func namesImpossibleValues(line: String, expected: String) {
    #expect(message("method:\n  \(line)\nname: a\nbatch: 1") == expected)
  }

  @Test func namesAValueThatATypeRefusesByItsKey() {
    let found = message(
      "name: a\nbatch: 1\nmethod: {}\nlayers:\n- width: 4\n- width: 64\n  heads: 5")
    #expect(found == "r.yaml:7:10: `layers[1].heads` is 5: it must divide the width, 64")
  }

  @Test(arguments: [
    ("name: [a", 2), ("name: a\n\tbatch: 1", 2), ("name: \"a", 1), ("a: 1\n---\nb: 2", 2),
    ("name: *a", 1), ("name: a\n batch: 1", 2),
  ])
  func namesTheLineOfBrokenText(yaml: String, line: Int) throws {
    let error = #expect(throws: RecipeError.self) { try read(yaml, as: Sample.self) }
    guard case .malformed(let place, let problem) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place.line == line)
    #expect(!problem.isEmpty && !problem.contains("\n"))
  }

  @Test func namesAFileThatIsAbsent() {
    let error = #expect(throws: RecipeError.self) {
      try RecipeDecoder.decode(Sample.self, contentsOf: "/nowhere/r.yaml")
    }
    #expect(error == .unreadable(file: "/nowhere/r.yaml", reason: "no such file"))
  }

  @Test func readsContainersInsideContainers() throws {
    struct Deep: Decodable {
      enum Outer: CodingKey { case box, pair }
      enum Inner: CodingKey { case a }
      var a: Int
      var b: Int

      init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: Outer.self)
        a = try keys.nestedContainer(keyedBy: Inner.self, forKey: .box).value(.a)
        var pair = try keys.nestedUnkeyedContainer(forKey: .pair)
        b = try pair.decode(Int.self)
      }
    }
    let deep: Deep = try read("box: {a: 1}\npair: [2]")
    #expect(deep.a == 1 && deep.b == 2)
    let strange = #expect(throws: RecipeError.self) {
      try read("box: {a: 1, b: 2}\npair: [2]", as: Deep.self)
    }
    #expect(strange?.description == "r.yaml:1:13: unknown key `b` in `box`: Valid keys: `a`")
  }

  @Test func followsAnchors() throws {
    let lists: [String: [Int]] = try read("a: &a [1, 2]\nb: *a")
    #expect(lists == ["a": [1, 2], "b": [1, 2]])
  }
}

@Suite struct RecipeSettingTests {
  @Test func replacesAndAddsValues() throws {
    let sample: Sample = try read(
      valid, set: "method.order=3", "layers[1].heads=5", "layers.0.width=8", "batch=4",
      "weights={mul: 3}", "method.range=[0, 0.5]", "name=a=b", "shuffle=null")
    #expect(sample.method.order == 3)
    #expect(sample.method.rate == 1e-4)
    #expect(sample.layers?.map(\.heads) == [4, 5])
    #expect(sample.layers?.map(\.width) == [8, 1000])
    #expect(sample.batch == 4)
    #expect(sample.weights == ["mul": 3])
    #expect(sample.method.range.high == 0.5)
    #expect(sample.name == "a=b")
    #expect(sample.shuffle == nil)
  }

  @Test func makesTheMappingsOnItsWay() throws {
    let sample: Sample = try read(
      "name: a\nbatch: 1\nmethod:", set: "method.order=0", "weights.x=1")
    #expect(sample.method.order == 0)
    #expect(sample.weights == ["x": 1])
  }

  @Test(arguments: [
    (
      "method.ordr=1",
      "--set method.ordr=1: unknown key `ordr` in `method`: did you mean `order`? "
        + "Valid keys: `order`, `rate`, `range`, `loss`"
    ),
    ("metod.order=1", "--set metod.order=1: unknown key `metod` at the top level: did you mean"),
    ("batch=many", "--set batch=many: `batch` is \"many\": a whole number was expected"),
    ("method.order=9", "--set method.order=9: `method.order` is 9: it must be from 0 to 8"),
    ("method.range=[0]", "--set method.range=[0]: `method.range` is a list of 1"),
    ("method=3", "--set method=3: `method` is \"3\": a mapping of keys to values was expected"),
    ("name.a=1", "--set name.a=1: `name` is \"mnist\" and has no key `a` to set"),
    ("layers[2].width=1", "`layers` is a list of 2 and has no element 2"),
    ("batch", "--set batch: no `=`"),
    ("batch=", "--set batch=: the value is empty"),
    ("a..b=1", "--set a..b=1: a key of the path is empty"),
    ("batch=[1", "--set batch=[1: the value is not valid YAML"),
  ])
  func namesTheOverrideThatIsWrong(setting: String, expected: String) {
    let found = message(valid, set: [setting])
    #expect(found.contains(expected), "\(found)")
  }
}

import Foundation
import Testing

@testable import Recipe

private enum Mode: String, Codable, CaseIterable { case fast, small }

/// A group with one of every kind of field.
private struct Machine: RecipeGroup, Equatable {
  var name = ""
  var width = 8
  var depth = 2
  var rate = 0.5
  var even = 2
  var mode = Mode.fast
  var limit: Double?
  var folder: String?
  var engine = Engine()
  var spare: Engine?

  static let defaults = Machine()
  static let summary = "A machine."
  static let fields: [Field] = [
    Field("name", \.name, "what it is called").required.was("title"),
    Field("width", \.width, in: 1...64, "how wide it is"),
    Field("depth", \.depth, in: 1..., "how deep it is").mayDiffer(.whenResumed),
    Field("rate", \.rate, in: 0..<1, "how fast it is").was("speed", "velocity"),
    Field("even", \.even, where: { $0 % 2 == 0 }, else: "it must be even", "a number"),
    Field("mode", \.mode, "fast or small")
      .otherwise("`fast`, above a depth of 9 `small`") { $0.mode = $0.depth > 9 ? .small : .fast },
    Field("limit", \.limit, "where it ends").when("`mode: small`") { $0.mode == .small },
    Field("folder", path: \.folder, "where it lies").mayDiffer(.always),
    Field("engine", \.engine, "what drives it"),
    Field("spare", \.spare, "a second one"),
  ]

  func validate() throws {
    if width < depth { throw invalid(\.width, "it must be the depth, \(depth), or more") }
    if name == "none" { throw invalid(\.name, found: "no name", "it must be one") }
  }
}

private struct Engine: RecipeGroup, Equatable {
  var power = 1.0

  static let defaults = Engine()
  static let fields: [Field] = [
    Field("power", \.power, in: 0...10, "its power").was("force").mayDiffer(.always)
  ]
}

private struct Car: RecipeGroup, Equatable {
  var body = Body()
  var trailer: Body?

  static let defaults = Car()
  static let fields: [Field] = [
    Field("body", \.body, "what one sits in"), Field("trailer", \.trailer, "what it pulls"),
  ]
}

private struct Body: RecipeGroup, Equatable {
  var length = 0
  var height = 7

  static let defaults = Body()
  static let fields: [Field] = [
    Field("length", \.length, "from end to end").required,
    Field("height", \.height, "above ground"),
  ]
}

private struct Wheels: RecipeGroup, Equatable {
  var count = 4

  static let defaults = Wheels()
  static let summary = "Wheels on an axis."
  static let fields: [Field] = [Field("count", \.count, in: 1...8, "how many").required]
}

private enum Parts: Catalogue {
  static let entries: [(name: String, entry: any RecipeGroup.Type)] = [
    ("engine", Engine.self), ("wheels", Wheels.self), ("motor", Engine.self),
  ]
}

private struct Part: RecipeChoice {
  typealias List = Parts
  let kind: String
  let group: any RecipeGroup

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: RecipeChoiceKey.self)
    let name: EntryName<Parts> = try keys.value(.kind)
    try Self.refuseKeysOfOthers(than: name.rawValue, from: decoder)
    (kind, group) = (name.rawValue, try name.entry.init(from: decoder))
  }
}

@Suite struct RecipeGroupTests {
  @Test func absentKeysHaveTheirDefaults() throws {
    var expected = Machine()
    expected.name = "a"
    #expect(try read("name: a") == expected)
  }

  @Test func everyKeyIsRead() throws {
    let machine: Machine = try read(
      """
      name: a
      width: 64
      depth: 3
      rate: 0
      even: 4
      mode: small
      limit: 7
      folder: out
      engine: {power: 2}
      spare: {}
      """)
    let expected = Machine(
      name: "a", width: 64, depth: 3, rate: 0, even: 4, mode: .small, limit: 7, folder: "out",
      engine: Engine(power: 2), spare: Engine())
    #expect(machine == expected)
  }

  @Test(arguments: [
    ("width: 0", "r.yaml:1:8: `width` is 0: it must be from 1 to 64"),
    ("depth: 0", "r.yaml:1:8: `depth` is 0: it must be 1 or more"),
    ("rate: 1", "r.yaml:1:7: `rate` is 1.0: it must be from 0.0 to less than 1.0"),
    ("even: 3", "r.yaml:1:7: `even` is 3: it must be even"),
    ("mode: slow", "r.yaml:1:7: `mode` is \"slow\": Valid values: \"fast\", \"small\""),
    ("engine: {power: 11}", "r.yaml:1:17: `engine.power` is 11.0: it must be from 0.0 to 10.0"),
    ("folder: ''", "r.yaml:1:9: `folder` is \"\": it must be the path of a file or folder"),
    ("width: 1", "r.yaml:1:8: `width` is 1: it must be the depth, 2, or more"),
    ("width:", "r.yaml:1:7: `width` is empty: a whole number was expected"),
  ])
  func impossibleValuesAreNamed(line: String, expected: String) {
    let found = message(line + "\nname: a", as: Machine.self)
    #expect(found.hasPrefix(expected), "\(found)")
  }

  @Test func aValueCanBePutInWords() {
    let found = message("name: none", as: Machine.self)
    #expect(found == "r.yaml:1:7: `name` is no name: it must be one")
  }

  @Test func aRequiredKeyMustBeThere() {
    #expect(
      message("nam: a", as: Machine.self)
        == "r.yaml:1:1: the key `name` is missing at the top level; `nam` is no key here: did you "
        + "mean `name`?")
  }

  @Test func unknownKeysAreNamedBesideThose() {
    #expect(
      message("{name: a, engine: {pwer: 1}}", as: Machine.self)
        == "r.yaml:1:20: unknown key `pwer` in `engine`: did you mean `power`? Valid keys: `power`")
  }

  @Test(arguments: [
    ("title: a", "r.yaml:1:1: `title` at the top level is now `name`: write that"),
    ("name: a\nvelocity: 1", "r.yaml:2:1: `velocity` at the top level is now `rate`: write that"),
    ("engine: {force: 1}", "`force` in `engine` is now `power`: write that"),
  ])
  func oldNamesLeadToTheNewOnes(yaml: String, expected: String) {
    let found = message(
      yaml.contains("name") || yaml.contains("title") ? yaml : yaml + "\nname: a",
      as: Machine.self)
    #expect(found.hasSuffix(expected), "\(found)")
  }

  @Test func aDefaultMayDependOnTheKeysBefore() throws {
    #expect(try read("{name: a, width: 10, depth: 10}", as: Machine.self).mode == .small)
    #expect(try read("{name: a, width: 10, depth: 10, mode: fast}", as: Machine.self).mode == .fast)
  }

  @Test func aKeyMayBeThereOnlyWithAnother() throws {
    #expect(try read("{name: a, mode: small, limit: 1}", as: Machine.self).limit == 1)
    let found = message("{name: a, limit: 1}", as: Machine.self)
    #expect(found.contains("unknown key `limit`") && !found.contains("`limit`,"), "\(found)")
  }

  @Test func whatIsNullIsAbsent() throws {
    let machine: Machine = try read("{name: a, spare: null, folder: ~}")
    #expect(machine.spare == nil && machine.folder == nil)
  }

  /// Values that are given, as by a preset, are defaults: also those of required keys.
  @Test func valuesAreReadOverOthers() throws {
    struct Changed: Decodable {
      let machine: Machine
      init(from decoder: any Decoder) throws {
        var preset = Machine(name: "preset", width: 32, depth: 16)
        preset.mode = .fast
        preset.engine.power = 3
        machine = try preset.replaced(from: decoder)
      }
    }
    var expected = Machine(name: "preset", width: 32, depth: 20)
    expected.engine.power = 3
    #expect(try read("depth: 20", as: Changed.self).machine == expected)
    #expect(message("depth: 33", as: Changed.self).contains("`width` is 32: it must be the depth"))
  }

  /// Groups within are read over those that are given too, and need none of their required keys.
  @Test func groupsWithinAreReadOverOthers() throws {
    struct Changed: Decodable {
      let car: Car
      init(from decoder: any Decoder) throws {
        car = try Car(body: Body(length: 4, height: 1), trailer: Body(length: 3, height: 2))
          .replaced(from: decoder)
      }
    }
    let expected = Car(body: Body(length: 5, height: 1), trailer: Body(length: 3, height: 1))
    let yaml = "{body: {length: 5}, trailer: {height: 1}}"
    #expect(try read(yaml, as: Changed.self).car == expected)
    #expect(try read("trailer: null", as: Changed.self).car.trailer == nil)
    #expect(message(yaml, as: Car.self).contains("the key `length` is missing in `trailer`"))
    #expect(try read("body: {length: 5}", as: Car.self).body == Body(length: 5, height: 7))
  }

  @Test func keysAreWrittenInTheOrderOfTheFields() throws {
    var machine = Machine()
    machine.name = "a"
    #expect(
      try RecipeWriter.line(machine)
        == "{name: a, width: 8, depth: 2, rate: 0.5, even: 2, mode: fast, engine: {power: 1}}")
    machine.mode = .small
    (machine.limit, machine.folder, machine.spare) = (2, "out", Engine())
    #expect(
      try RecipeWriter.line(machine)
        == "{name: a, width: 8, depth: 2, rate: 0.5, even: 2, mode: small, limit: 2, folder: out, "
        + "engine: {power: 1}, spare: {power: 1}}")
  }

  @Test func jsonIsReadBack() throws {
    let machine = Machine(
      name: "a", mode: .small, limit: 2, folder: "out", engine: Engine(power: 2), spare: Engine())
    let json = try JSONEncoder().encode(machine)
    #expect(try JSONDecoder().decode(Machine.self, from: json) == machine)
    #expect(try read(String(decoding: json, as: UTF8.self)) == machine)
    #expect {
      try JSONDecoder().decode(Machine.self, from: Data(#"{"name": "a", "even": 1}"#.utf8))
    } throws: { "\($0)" == "`even` is 1: it must be even" }
  }

  @Test func meaningsAreComments() throws {
    let machine = Machine(name: "a", folder: "out")
    #expect(
      try RecipeWriter.text(machine, heading: "A machine.") == """
        # A machine.
        name: a                           # what it is called
        width: 8                          # how wide it is
        depth: 2                          # how deep it is
        rate: 0.5                         # how fast it is
        even: 2                           # a number
        mode: fast                        # fast or small
        folder: out                       # where it lies
        engine:                           # what drives it
          power: 1                        # its power

        """)
  }

  @Test func whatMayDifferIsNamedByItsPath() {
    var machine = Machine()
    #expect(machine.paths(free: .always) == ["folder", "engine.power"])
    machine.spare = Engine()
    #expect(
      machine.paths(free: .whenResumed) == ["depth", "folder", "engine.power", "spare.power"])
  }
}

@Suite struct RecipeChoiceTests {
  @Test func aGroupIsChosenByItsName() throws {
    let part: Part = try read("{kind: wheels, count: 3}")
    #expect(part.group as? Wheels == Wheels(count: 3))
    #expect(try RecipeWriter.line(part) == "{kind: wheels, count: 3}")
  }

  @Test(arguments: [
    ("{kind: wheel, count: 3}", "did you mean \"wheels\"?"),
    ("{kind: wheels}", "the key `count` is missing"),
    ("{kind: engine, force: 1}", "`force` at the top level is now `power`"),
    (
      "{kind: engine, count: 3}",
      "r.yaml:1:16: `count` at the top level is no key of engine: leave it out, or take wheels. "
        + "Valid keys: `kind`, `power`"
    ),
    (
      "{kind: wheels, power: 3}",
      "is no key of wheels: leave it out, or take engine or motor, as in {kind: engine, power: 1}."
    ),
    ("{kind: engine, cont: 3}", "unknown key `cont` at the top level: Valid keys: `kind`, `power`"),
  ])
  func impossibleChoicesAreNamed(yaml: String, expected: String) {
    let found = message(yaml, as: Part.self)
    #expect(found.contains(expected), "\(found)")
  }

  @Test func commentsAreThoseOfTheGroup() throws {
    let part: Part = try read("{kind: motor, power: 2}")
    #expect(
      try RecipeWriter.text(part, heading: "") == """
        kind: motor                       # engine, wheels or motor
        power: 2                          # its power

        """)
  }
}

@Suite struct RecipeReferenceTests {
  @Test func everyKeyIsListed() {
    #expect(
      RecipeReference.text(of: Machine.self, title: "Machines") == """
        ## Machines

        A machine.

        | key | value | default | meaning |
        |---|---|---|---|
        | `name` | text | required | what it is called |
        | `width` | whole number, from 1 to 64 | `8` | how wide it is |
        | `depth` | whole number, 1 or more | `2` | how deep it is (may differ at `--resume`) |
        | `rate` | number, from 0 to less than 1 | `0.5` | how fast it is |
        | `even` | whole number, even | `2` | a number |
        | `mode` | `fast`, `small` | `fast`, above a depth of 9 `small` | fast or small |
        | `limit` | number | none | with `mode: small`: where it ends |
        | `folder` | path | none | where it lies (may differ at `--resume`) |
        | `engine` | group, below | `{power: 1}` | what drives it |
        | `spare` | group, below | none | a second one |

        ### `engine`

        | key | value | default | meaning |
        |---|---|---|---|
        | `power` | number, from 0 to 10 | `1` | its power (may differ at `--resume`) |

        ### `spare`

        | key | value | default | meaning |
        |---|---|---|---|
        | `power` | number, from 0 to 10 | `1` | its power (may differ at `--resume`) |

        """)
  }

  @Test func everyChoiceIsListedOnce() {
    let text = RecipeReference.text(of: Part.self, title: "Parts")
    let headings = text.split(separator: "\n").filter { $0.hasPrefix("#") }
    #expect(
      headings == ["## Parts", "## Parts, kind: `engine` or `motor`", "## Parts, kind: `wheels`"])
    #expect(text.contains("| `kind` | `engine`, `wheels` or `motor` | required |"))
    #expect(text.contains("Wheels on an axis."))
  }
}

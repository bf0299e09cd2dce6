import Models
import Testing

@testable import Serving

@Suite struct RequestParametersTests {
  /// A form with fields.
  private func form(_ fields: [(name: String, text: String)]) throws -> RequestParameters {
    let parts = fields.map {
      "--b\r\nContent-Disposition: form-data; name=\"\($0.name)\"\r\n\r\n\($0.text)\r\n"
    }
    return try ReadForm(Array((parts.joined() + "--b--").utf8)).parameters()
  }

  @Test func readsEveryKind() throws {
    let found = try parameters(
      """
      {"prompt": "a 👕", "n": 2, "guidance_scale": 1.5, "stream": true, "output_format": "webp",
       "size": "64x48", "seeds": ["1", "2"], "loras": [{"name": "x"}, {"scale": 2}],
       "settings": {"inner": {"n": 3}}, "user": {"ignored": []}}
      """)
    #expect(try found.string("prompt", atMost: 3) == "a 👕")
    #expect(try found.requiredString("prompt", atMost: 3) == "a 👕")
    #expect(try found.integer("n", in: 1...10) == 2 && found.number("n", in: 0...10) == 2)
    #expect(try found.number("guidance_scale", in: 0...20) == 1.5)
    #expect(try found.bool("stream") == true)
    #expect(try found.choice("output_format", ["png", "webp"]) == "webp")
    #expect(try found.size("size", sides: 16...64) == ImageSize(height: 48, width: 64))
    #expect(try found.strings("seeds", atMost: 2, each: 1) == ["1", "2"])
    let loras = try #require(try found.objects("loras", atMost: 2))
    #expect(try loras[0].string("name", atMost: 9) == "x")
    #expect(try loras[1].number("scale", in: -9...9) == 2)
    let inner = try #require(try found.object("settings")?.object("inner"))
    #expect(answer { _ = try inner.integer("n", in: 4...5) }?.param == "settings.inner.n")
    #expect(answer { _ = try loras[1].string("scale", atMost: 1) }?.param == "loras[1].scale")
    #expect(found.has("user") && !found.has("model"))
  }

  @Test(arguments: ["{}", #"{"x": null}"#, #"{"x": 1, "x": null}"#])
  func missingAndNullAreNone(json: String) throws {
    let found = try parameters(json)
    #expect(!found.has("x"))
    #expect(try found.string("x", atMost: 1) == nil && found.integer("x", in: 0...1) == nil)
    #expect(try found.number("x", in: 0...1) == nil && found.bool("x") == nil)
    #expect(try found.choice("x", []) == nil && found.size("x", sides: 1...2) == nil)
    #expect(try found.strings("x", atMost: 1, each: 1) == nil && found.object("x") == nil)
    #expect(try found.objects("x", atMost: 1) == nil)
    let missing = answer { _ = try found.requiredString("x", atMost: 1) }
    #expect(missing?.param == "x" && missing?.code == "missing_required_parameter")
  }

  @Test(
    arguments: [
      ("2", 2), ("2.0", 2), ("2e0", 2), ("20e-1", 2), ("-0", 0),
      ("9007199254740993", 9_007_199_254_740_993),
      ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min), ("1e3", 1000),
    ])
  func readsWholeNumbers(text: String, value: Int) throws {
    #expect(try parameters("{\"n\": \(text)}").integer("n", in: .min ... .max) == value)
    #expect(try form([("n", text)]).integer("n", in: .min ... .max) == value)
  }

  @Test(
    arguments: [
      ("0", "integer_below_min_value"), ("11", "integer_above_max_value"),
      ("2.5", "invalid_type"), ("9223372036854775808", "integer_above_max_value"),
      ("1e300", "integer_above_max_value"), ("-1e300", "integer_below_min_value"),
      ("\"2\"", "invalid_type"), ("true", "invalid_type"), ("[2]", "invalid_type"),
      ("{}", "invalid_type"),
    ])
  func refusesOtherNumbers(text: String, code: String) throws {
    let found = try parameters("{\"n\": \(text)}")
    let error = try #require(answer { _ = try found.integer("n", in: 1...10) })
    #expect(error.status == 400 && error.param == "n" && error.code == code)
    #expect(error.message.contains("whole number"))
  }

  @Test(
    arguments: [
      ("string", "1"), ("bool", "0"), ("bool", "\"true\""), ("choice", "\"gif\""), ("choice", "1"),
      ("size", "\"64\""), ("size", "\"64x\""), ("size", "\"x64\""), ("size", "\"64x64x64\""),
      ("size", "\"64x-64\""), ("size", "\"+64x64\""), ("size", "\"64x99999999999999999999\""),
      ("size", "\"65x64\""), ("size", "\"AUTO\""), ("size", "64"), ("number", "\"1\""),
      ("number", "3"), ("number", "-0.1"), ("strings", "\"a\""), ("strings", "[\"a\", 1]"),
      ("strings", "[\"abc\"]"), ("strings", "[\"a\", \"b\", \"c\"]"), ("object", "[]"),
      ("objects", "{}"), ("objects", "[1]"), ("objects", "[{}, {}, {}]"), ("string", "\"abc\""),
    ])
  func namesTheParameter(kind: String, text: String) throws {
    let found = try parameters("{\"\(kind)\": \(text)}")
    let error = answer {
      switch kind {
      case "string": _ = try found.string(kind, atMost: 2)
      case "bool": _ = try found.bool(kind)
      case "choice": _ = try found.choice(kind, ["png", "jpeg"])
      case "size": _ = try found.size(kind, sides: 1...64)
      case "number": _ = try found.number(kind, in: 0...2)
      case "strings": _ = try found.strings(kind, atMost: 2, each: 2)
      case "object": _ = try found.object(kind)
      default: _ = try found.objects(kind, atMost: 2)
      }
    }
    #expect(error?.status == 400 && error?.param?.hasPrefix(kind) == true)
    #expect(error?.message.contains("The parameter \(kind)") == true)
    #expect(error?.message.contains(" expected") == true)
  }

  @Test(
    arguments: [
      "", " ", "[]", "1", "\"x\"", "null", "{", "{\"a\"}", "{\"a\": 1,}", "{\"a\": 01}", "{} {}",
      "{\"a\": NaN}", "{\"a\": 1e999}", "{'a': 1}", "{\"a\": \"\u{1}\"}", "{\"a\": .5}",
      "{\"a\": 1.}", "{\"a\": +1}", "{\"a\": -}", "{\"a\": 1e}", "{\"a\": \"\\ud800\"}",
      String(repeating: "{\"a\":", count: 100_000), String(repeating: "[", count: 1_000_000),
      "{\"a\": \(String(repeating: "1", count: 1000))}",
      "{\"a\": [\(Array(repeating: "1", count: 100_001).joined(separator: ","))]}",
    ])
  func refusesOtherTexts(text: String) {
    let error = answer { _ = try parameters(text) }
    #expect(error?.status == 400 && error?.param == nil)
    #expect(["invalid_json", "invalid_type"].contains(error?.code))
  }

  @Test func refusesInvalidUTF8() {
    for bytes in [[0xFF], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xC0, 0x80]] as [[UInt8]] {
      let text = Array("{\"a\": \"".utf8) + bytes + Array("\"}".utf8)
      let error = answer { _ = try text.withUnsafeBytes { try RequestParameters(json: $0) } }
      #expect(error?.code == "invalid_json" && error?.message.contains("UTF-8") == true)
    }
  }

  @Test func theLastOfEqualNamesCounts() throws {
    #expect(try parameters(#"{"n": 1, "n": 2}"#).integer("n", in: 0...9) == 2)
    #expect(try form([("n", "1"), ("n", "2")]).integer("n", in: 0...9) == 2)
  }

  @Test func membersOfExtraBodyStandBesideOthers() throws {
    let json = try parameters(#"{"seed": 1, "n": 3, "extra_body": {"seed": 2, "steps": 4}}"#)
    let form = try form([("seed", "1"), ("n", "3"), ("extra_body", #"{"seed": 2, "steps": 4}"#)])
    for found in [json, form] {
      #expect(try found.integer("seed", in: 0...9) == 2)
      #expect(try found.integer("steps", in: 0...9) == 4 && found.integer("n", in: 0...9) == 3)
      #expect(!found.has("extra_body"))
    }
    let error = answer { _ = try parameters(#"{"extra_body": 1}"#) }
    #expect(error?.param == "extra_body")
  }

  @Test func formsHaveTheSameView() throws {
    let found = try form([
      ("n", "2"), ("scale", "1.5"), ("stream", "True"), ("format", "png"), ("size", "auto"),
      ("tags[]", "a"), ("tags[]", "b"), ("loras", #"{"name": "x"}"#), ("empty", ""),
    ])
    #expect(try found.integer("n", in: 1...2) == 2 && found.number("scale", in: 0...2) == 1.5)
    #expect(try found.bool("stream") == true && found.choice("format", ["png"]) == "png")
    #expect(try found.size("size", sides: 1...2) == nil)
    #expect(try found.strings("tags", atMost: 2, each: 1) == ["a", "b"])
    #expect(try found.objects("loras", atMost: 1)?[0].string("name", atMost: 1) == "x")
    // Python's clients send an empty field for None.
    #expect(try found.integer("empty", in: 1...2) == nil && found.bool("empty") == nil)
    #expect(try found.string("empty", atMost: 1)?.isEmpty == true)
    #expect(answer { _ = try found.integer("format", in: 1...2) }?.param == "format")
    #expect(answer { _ = try found.bool("n") }?.param == "n")
    #expect(answer { _ = try found.object("n") }?.param == "n")
  }

  @Test func fieldsOfFormsAreUTF8() throws {
    var body = Array("--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n".utf8)
    body += [0xC3, 0x28] + Array("\r\n--b--".utf8)
    let read = try ReadForm(body)
    #expect(answer { _ = try read.parameters() }?.param == "prompt")
  }

  private enum Format: String, CaseIterable { case png, jpeg }

  @Test func enumerationsAreChoices() throws {
    let found = try parameters(#"{"format": "jpeg", "other": "gif"}"#)
    #expect(try found.choice("format", as: Format.self) == .jpeg)
    let error = answer { _ = try found.choice("other", as: Format.self) }
    #expect(error?.message.contains("one of png, jpeg") == true)
  }
}

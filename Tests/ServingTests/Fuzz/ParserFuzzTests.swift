import Files
import TestSupport
import Testing

@testable import Serving

/// Random valid inputs are read as what they are, and changed ones end with an answer.
@Suite struct ParserFuzzTests {
  @Test func validFormsRoundTrip() throws {
    try FuzzLength(inputs: 1000).forEachSeed { seed in
      var random = SeededGenerator(seed)
      let form = GeneratedForm(&random)
      let read = try ReadForm(form.bytes, contentType: form.contentType)
      let parts = read.form.parts
      #expect(parts.map(\.name) == form.parts.map(\.name), "seed \(seed)")
      #expect(parts.map(\.filename) == form.parts.map(\.filename), "seed \(seed)")
      #expect(parts.map(\.contentType) == form.parts.map(\.type), "seed \(seed)")
      #expect(
        parts.map { Array(form.bytes[$0.content]) } == form.parts.map(\.content), "seed \(seed)")
    }
  }

  @Test func changedFormsEndWithAnAnswer() {
    FuzzLength(inputs: 2000).forEachSeed { seed in
      var random = SeededGenerator(seed)
      let forms = (0..<2).map { _ in GeneratedForm(&random) }
      let delimiter = Array("\r\n--\(forms[0].boundary)".utf8)
      let mutator = ByteMutator(
        pieces: [
          delimiter, delimiter + Array("--".utf8), Array("\r\n".utf8), Array("\r\n\r\n".utf8),
          Array("\"".utf8), Array("Content-Disposition: form-data; name=\"x\"\r\n".utf8), [0],
          [0xFF],
        ],
        longest: 1 << 16)
      let bytes = mutator.mutated(forms[0].bytes, with: [forms[1].bytes], &random)
      do throws(MultipartError) {
        let read = try ReadForm(bytes, contentType: forms[0].contentType)
        #expect(
          read.form.parts.allSatisfy { bytes.indices.contains($0.content) }, "seed \(seed)")
        // What was read is also in the body as a client would write it.
        for part in read.form.parts where !part.content.isEmpty {
          #expect(bytes[part.content.upperBound...].starts(with: delimiter), "seed \(seed)")
        }
        if let found = try? read.parameters() { use(found, names: read.form.parts.map(\.name)) }
      } catch {
        #expect(!error.description.contains("\n"), "seed \(seed)")
      }
    }
  }

  @Test func changedHeadersEndWithAnAnswer() {
    let values = [
      "multipart/form-data; boundary=\"a b\\\"c\"", "form-data; name=\"é\"; filename=x; a=b",
    ].map { Array($0.utf8) }
    let mutator = ByteMutator(
      pieces: ["\"", "\\", ";", "=", " ", "\t", "; name=\"", "\r\n"].map { Array($0.utf8) },
      longest: 1 << 12)
    FuzzLength(inputs: 3000).forEachSeed { seed in
      var random = SeededGenerator(seed)
      let bytes = mutator.mutated(values[Int(seed % 2)], with: values, &random)
      let header = HeaderValue(String(decoding: bytes, as: UTF8.self))
      #expect(header?.value.isEmpty != true, "seed \(seed)")
      #expect(header?.parameters.keys.contains("") != true, "seed \(seed)")
    }
  }

  @Test func validJSONRoundTrips() throws {
    try FuzzLength(inputs: 1000).forEachSeed { seed in
      var random = SeededGenerator(seed)
      let json = GeneratedJSON(&random)
      let value = try Array(json.text.utf8).withUnsafeBytes { try JSONReader.read($0) }
      #expect(value.isIdentical(to: json.value), "seed \(seed): \(json.text)")
    }
  }

  @Test func changedJSONEndsWithAnAnswer() {
    let mutator = ByteMutator(
      pieces: [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\udc55", "-", "1e9", "0",
        "null", "true", "{\"extra_body\":{", "{\"a\":", "\u{1}",
      ].map { Array($0.utf8) } + [[0], [0xFF], [0xC3], [0xED, 0xA0, 0x80]],
      longest: 1 << 16)
    FuzzLength(inputs: 2000).forEachSeed { seed in
      var random = SeededGenerator(seed)
      let texts = (0..<2).map { _ in Array(GeneratedJSON(&random).text.utf8) }
      let bytes = mutator.mutated(texts[0], with: [texts[1]], &random)
      do {
        let found = try bytes.withUnsafeBytes { try RequestParameters(json: $0) }
        use(found, names: ["a", "b", "", "extra_body"])
      } catch {
        #expect(APIError(error).status == 400, "seed \(seed)")
      }
    }
  }

  /// Reads parameters as every type.
  private func use(_ found: RequestParameters, names: [String]) {
    for name in names {
      _ = try? found.string(name, atMost: 5)
      _ = try? found.integer(name, in: -5...5)
      _ = try? found.number(name, in: -5...5)
      _ = try? found.bool(name)
      _ = try? found.choice(name, ["a"])
      _ = try? found.size(name, sides: 1...100)
      _ = try? found.strings(name, atMost: 5, each: 5)
      _ = try? found.object(name)
      _ = try? found.objects(name, atMost: 5)
    }
  }
}

import Testing

@testable import Serving

@Suite struct ServerSentEventTests {
  @Test(
    arguments: [
      ("{}", "data: {}\n"), ("", "data: \n"), ("a\nb", "data: a\ndata: b\n"),
      ("a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n"), ("\r\n", "data: \ndata: \n"),
    ])
  func linesAreSeparate(data: String, lines: String) {
    let bytes = ServerSentEvent(name: "x.y", data: data).bytes
    #expect(String(decoding: bytes, as: UTF8.self) == "event: x.y\n\(lines)\n")
  }

  @Test func valuesAreOneLine() throws {
    let event = try ServerSentEvent(
      name: "image_generation.completed", json: ["b64_json": "a/b+c=", "prompt": "x\ny\u{2028}"])
    let text = String(decoding: event.bytes, as: UTF8.self)
    #expect(
      text == "event: image_generation.completed\n"
        + "data: {\"b64_json\":\"a/b+c=\",\"prompt\":\"x\\ny\u{2028}\"}\n\n")
  }
}

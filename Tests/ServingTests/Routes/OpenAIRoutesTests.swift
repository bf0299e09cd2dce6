import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Pictures
import TestModels
import TestSupport
import Testing

@testable import Serving

/// OpenAI's images API, from a request to the picture.
@Suite struct OpenAIRoutesTests {
  private func picture(_ answer: [String: Any]) throws -> RGBImage {
    let text = try #require(answer["b64_json"] as? String)
    return try decoded(#require(Data(base64Encoded: text)))
  }

  @Test func modelsAreListed() async throws {
    let server = try TestServer(["small", "small-base"])
    let list = try await server.call(.get, "/v1/models")
    #expect(list.status == 200 && list.json["object"] as? String == "list")
    #expect(list.pictures.map { $0["id"] as? String } == ["small", "small-base"])
    let facts = try #require(list.pictures[0]["twinflow"] as? [String: Any])
    #expect(facts["size"] as? String == "16x16" && facts["default"] as? Bool == true)
    #expect(facts["styles"] as? [String] == ["few", "multi", "any"])
    let base = try #require(list.pictures[1]["twinflow"] as? [String: Any])
    #expect(facts["guided"] as? Bool == false && base["guided"] as? Bool == true)
    let alias = try await server.call(.get, "/v1/models/dall-e-3")
    #expect(alias.json["id"] as? String == "small")
    let other = try await server.call(.get, "/v1/models/sdxl")
    #expect(other.status == 404 && other.error["code"] as? String == "model_not_found")
  }

  @Test func picturesFollowTheSeed() async throws {
    let server = try TestServer()
    let answer = try await server.post(
      "/v1/images/generations",
      #"""
      {"model": "gpt-image-1", "prompt": "a fox", "n": 3, "size": "16x16", "seed": 5, "user": "u",
      "quality": "high", "moderation": "low", "unknown": {"deep": [1]}}
      """#)
    #expect(answer.status == 200)
    #expect(answer.json["size"] as? String == "16x16" && answer.json["model"] as? String == "small")
    let pictures = try answer.pictures.map(picture)
    #expect(pictures.map(\.width) == [16, 16, 16])
    #expect(Set(pictures.map(\.values)).count == 3)
    #expect(answer.pictures.map { $0["seed"] as? Int } == [5, 6, 7])
    let usage = try #require(answer.json["usage"] as? [String: Any])
    #expect(usage["output_tokens"] as? Int == 48 && usage["input_tokens"] as? Int == 4)
    let again = try await server.post(
      "/v1/images/generations", #"{"prompt": "a fox", "seed": 6, "size": "auto"}"#)
    #expect(try picture(again.pictures[0]).values == pictures[1].values)
    // Seeds have 64 bits.
    let large = try await server.post(
      "/v1/images/generations", #"{"prompt": "a fox", "seed": 18446744073709551614}"#)
    #expect(large.text.contains(#""seed":18446744073709551614"#))
    let number = try #require(again.headers[.requestID])
    #expect(number.hasPrefix("req_") && number != answer.headers[.requestID])
  }

  @Test(arguments: [("png", "\u{89}PNG"), ("jpeg", "\u{ff}\u{d8}"), ("webp", "RIFF")])
  func formats(name: String, start: String) async throws {
    let server = try TestServer()
    let answer = try await server.post(
      "/v1/images/generations",
      #"{"prompt": "a fox", "output_format": "\#(name)", "output_compression": 80}"#)
    let text = try #require(answer.pictures[0]["b64_json"] as? String)
    let file = try #require(Data(base64Encoded: text))
    #expect(
      Array(file.prefix(start.unicodeScalars.count)) == start.unicodeScalars.map { UInt8($0.value) }
    )
    #expect(answer.json["output_format"] as? String == name)
  }

  @Test func picturesByAddress() async throws {
    let server = try TestServer()
    let answer = try await server.post(
      "/v1/images/generations", #"{"prompt": "a fox", "response_format": "url", "seed": 1}"#)
    let address = try #require(answer.pictures[0]["url"] as? String)
    #expect(address.hasPrefix("http://here:1/v1/images/files/") && address.hasSuffix(".png"))
    let path = String(address.dropFirst("http://here:1".count))
    let file = try await server.call(.get, path)
    #expect(file.status == 200 && file.headers[.contentType] == "image/png")
    #expect(try decoded(Data(file.body)).width == 16)
    for wrong in ["none.png", "..%2F..%2Fetc%2Fpasswd", "%00"] {
      let missing = try await server.call(.get, "/v1/images/files/\(wrong)")
      #expect(missing.status == 404, "\(wrong)")
    }
  }

  /// A proxy in front of the server speaks TLS.
  @Test(arguments: [
    ("https", "https"), ("HTTPS", "https"), ("http", "http"), ("javascript", "http"),
  ])
  func addressesHaveTheProtocolOfTheProxy(header: String, expected: String) async throws {
    let server = try TestServer()
    let answer = try await server.post(
      "/v1/images/generations", #"{"prompt": "a fox", "response_format": "url"}"#,
      [HTTPField.Name("X-Forwarded-Proto")!: header])
    let address = try #require(answer.pictures[0]["url"] as? String)
    #expect(address.hasPrefix("\(expected)://here:1/v1/images/files/"))
  }

  @Test func loRAIsNamedByRequests() async throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.safetensors"
    try SmallTextDiT.writeLoRA(path)
    let server = try TestServer { $0.loras = ["x": path] }
    let list = try await server.call(.get, "/v1/models")
    let facts = try #require(list.pictures[0]["twinflow"] as? [String: Any])
    #expect(facts["loras"] as? [String] == ["x"])
    func made(_ loras: String) async throws -> [UInt8] {
      let answer = try await server.post(
        "/v1/images/generations", #"{"prompt": "a fox", "seed": 1, "loras": \#(loras)}"#)
      return try picture(#require(answer.pictures.first)).values
    }
    let plain = try await made("[]")
    let changed = try await made(#"[{"name": "x"}]"#)
    #expect(try await made(#"[{"name": "x", "scale": 0}]"#) == plain && changed != plain)
    #expect(try await made("[]") == plain)
    let wrong = try await server.post(
      "/v1/images/generations", #"{"prompt": "a", "loras": [{"name": "y"}]}"#)
    #expect(wrong.status == 400 && wrong.error["code"] as? String == "lora_not_found")
  }

  @Test func streamsSendPreviewsAndPictures() async throws {
    let server = try TestServer()
    let answer = try await server.post(
      "/v1/images/generations",
      #"{"prompt": "a fox", "n": 2, "stream": true, "partial_images": 2, "num_inference_steps": 4}"#
    )
    #expect(answer.status == 200 && answer.headers[.contentType] == "text/event-stream")
    let events = answer.text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
    let names = events.map { $0.components(separatedBy: "\n")[0] }
    #expect(names.filter { $0 == "event: image_generation.partial_image" }.count == 4)
    #expect(names.filter { $0 == "event: image_generation.completed" }.count == 2)
    #expect(names.suffix(1) == ["event: image_generation.completed"])
    for event in events {
      let data = try #require(event.components(separatedBy: "\ndata: ").last)
      let json = try #require(
        JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any])
      #expect(try picture(json).width == 16 && json["type"] as? String != nil)
    }
  }

  @Test func imagesAreEdited() async throws {
    let server = try TestServer()
    let image = Picture(
      width: 16, height: 16, channels: 3, values: [UInt8](repeating: 200, count: 768))
    let file = Array(image.png())
    let prompt: [(name: String, file: String?, content: [UInt8])] = [
      ("prompt", nil, Array("a fox".utf8)), ("seed", nil, Array("3".utf8)),
      ("num_inference_steps", nil, Array("2".utf8)),
    ]
    let edited = try await server.form(
      "/v1/images/edits", prompt + [("image", "a.png", file)])
    #expect(edited.status == 200)
    let full = try picture(edited.pictures[0])
    let list = try await server.form(
      "/v1/images/edits", prompt + [("image[]", "a.png", file)])
    #expect(try picture(list.pictures[0]).values == full.values)
    // An opaque mask keeps the image.
    let alpha = Picture(
      width: 16, height: 16, channels: 4,
      values: (0..<256).flatMap { [0, 0, 0, $0 % 16 < 8 ? 255 : 0] as [UInt8] })
    let masked = try await server.form(
      "/v1/images/edits",
      prompt + [("image", "a.png", file), ("mask", "m.png", Array(alpha.png()))])
    let values = try picture(masked.pictures[0]).values
    #expect((0..<256).filter { $0 % 16 < 8 }.allSatisfy { values[3 * $0] == 200 })
    #expect((0..<256).filter { $0 % 16 >= 8 }.contains { values[3 * $0] != 200 })
    let none = try await server.form("/v1/images/edits", prompt)
    #expect(none.status == 400 && none.error["param"] as? String == "image")
    let broken = try await server.form(
      "/v1/images/edits", prompt + [("image", "a.png", Array(file.prefix(40)))])
    #expect(broken.status == 400 && broken.error["code"] as? String == "invalid_image")
  }

  /// Each wrong request is answered with its parameter and what was expected.
  @Test(arguments: [
    (#"{}"#, 400, "prompt"), (#"{"prompt": ""}"#, 400, "prompt"),
    (#"{"prompt": 3}"#, 400, "prompt"), (#"{"prompt": "a", "n": 0}"#, 400, "n"),
    (#"{"prompt": "a", "n": 1000}"#, 400, "n"), (#"{"prompt": "a", "n": "2"}"#, 400, "n"),
    (#"{"prompt": "a", "size": "big"}"#, 400, "size"),
    (#"{"prompt": "a", "size": "9999999x16"}"#, 400, "size"),
    (#"{"prompt": "a", "model": "sdxl"}"#, 404, "model"),
    (#"{"prompt": "a", "output_format": "gif"}"#, 400, "output_format"),
    (#"{"prompt": "a", "background": "transparent"}"#, 400, "background"),
    (#"{"prompt": "a", "num_inference_steps": 100000}"#, 400, "num_inference_steps"),
    (#"{"prompt": "a", "seed": -4}"#, 400, "seed"),
    (#"{"prompt": "a", "negative_prompt": "b"}"#, 400, "negative_prompt"),
    (#"{"prompt": "a", "loras": [{"name": "x"}]}"#, 400, "loras"),
  ])
  func wrongRequests(json: String, status: Int, param: String) async throws {
    let server = try TestServer()
    let answer = try await server.post("/v1/images/generations", json)
    #expect(answer.status == status, "\(json): \(answer.text)")
    #expect(answer.error["param"] as? String == param, "\(json): \(answer.text)")
    let message = try #require(answer.error["message"] as? String)
    #expect(message.count > 20 && answer.error["type"] as? String == "invalid_request_error")
  }

  @Test func wrongBodies() async throws {
    let server = try TestServer { $0.limits.jsonBytes = 2000 }
    for (body, status) in [
      ("", 400), ("{", 400), ("[]", 400),
      (#"{"prompt": "\#(String(repeating: "a", count: 3000))"}"#, 413),
    ] {
      let answer = try await server.post("/v1/images/generations", body)
      #expect(answer.status == status, "\(body.prefix(20)): \(answer.text)")
      #expect(answer.error["message"] as? String != nil)
    }
    let invalid = try await server.call(
      .post, "/v1/images/generations", [.contentType: "application/json"],
      body: .init(
        buffer: ByteBuffer(bytes: Array(#"{"prompt": ""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8)))
    )
    #expect(invalid.status == 400)
    let form = try await server.call(
      .post, "/v1/images/generations", [.contentType: "text/plain"],
      body: .init(buffer: ByteBuffer(string: "a fox")))
    #expect(form.status == 415)
    let path = try await server.call(.get, "/v1/nothing")
    #expect(path.status == 404 && path.error["message"] as? String != nil)
  }
}

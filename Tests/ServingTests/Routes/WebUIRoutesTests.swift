import Foundation
import Pictures
import Testing

@testable import Serving

/// AUTOMATIC1111's API, as open-webui uses it.
@Suite struct WebUIRoutesTests {
  private func picture(_ answer: TestServer.Answer, _ number: Int = 0) throws -> RGBImage {
    let images = try #require(answer.json["images"] as? [String])
    return try decoded(#require(Data(base64Encoded: images[number])))
  }

  @Test func picturesComeWithTheirSettings() async throws {
    let server = try TestServer()
    let answer = try await server.post(
      "/sdapi/v1/txt2img",
      #"""
      {"prompt": "a fox", "batch_size": 2, "width": 16, "height": 16, "steps": 2, "seed": 4,
      "sampler_name": "Euler a", "cfg_scale": 1}
      """#)
    #expect(answer.status == 200)
    #expect(try picture(answer).width == 16)
    #expect(try picture(answer, 1).values != picture(answer).values)
    let info = try #require(answer.json["info"] as? String)
    let settings = try #require(
      JSONSerialization.jsonObject(with: Data(info.utf8)) as? [String: Any])
    #expect(settings["all_seeds"] as? [Int] == [4, 5] && settings["steps"] as? Int == 2)
    let texts = try #require(settings["infotexts"] as? [String])
    #expect(texts.count == 2 && texts[1].hasPrefix("a fox\n") && texts[1].contains("Seed: 5"))
    // The settings are in the file too.
    let again = try await server.post(
      "/sdapi/v1/txt2img", #"{"prompt": "a fox", "steps": 2, "seed": 5, "cfg_scale": 1}"#)
    #expect(try picture(again).values == picture(answer, 1).values)
  }

  @Test func imagesAreStartedFrom() async throws {
    let server = try TestServer()
    let image = Picture(
      width: 16, height: 16, channels: 3, values: [UInt8](repeating: 90, count: 768))
    let data = image.png().base64EncodedString()
    func made(from address: String) async throws -> TestServer.Answer {
      let body = """
        {"prompt": "a fox", "init_images": ["\(address)"], "denoising_strength": 0.5, "steps": 2,
        "seed": 1}
        """
      return try await server.post("/sdapi/v1/img2img", body)
    }
    let plain = try await made(from: data)
    #expect(plain.status == 200)
    let prefixed = try await made(from: "data:image/png;base64,\(data)")
    #expect(try picture(prefixed).values == picture(plain).values)
    let none = try await server.post("/sdapi/v1/img2img", #"{"prompt": "a fox"}"#)
    #expect(none.status == 400 && none.error["param"] as? String == "init_images")
  }

  @Test func modelsAreChosenByOptions() async throws {
    let server = try TestServer(["one", "two"])
    let models = try await server.call(.get, "/sdapi/v1/sd-models")
    let list = try #require(
      JSONSerialization.jsonObject(with: Data(models.body)) as? [[String: Any]])
    #expect(list.map { $0["model_name"] as? String } == ["one", "two"])
    #expect(
      try await server.call(.get, "/sdapi/v1/options").json["sd_model_checkpoint"] as? String
        == "one")
    let first = try await server.post("/sdapi/v1/txt2img", #"{"prompt": "a fox", "seed": 1}"#)
    let chosen = try await server.post(
      "/sdapi/v1/options", #"{"sd_model_checkpoint": "two", "CLIP_stop_at_last_layers": 1}"#)
    #expect(chosen.status == 200)
    #expect(
      try await server.call(.get, "/sdapi/v1/options").json["sd_model_checkpoint"] as? String
        == "two")
    let second = try await server.post("/sdapi/v1/txt2img", #"{"prompt": "a fox", "seed": 1}"#)
    #expect(try picture(first).values != picture(second).values)
    let unknown = try await server.post(
      "/sdapi/v1/options", #"{"sd_model_checkpoint": "three"}"#)
    #expect(unknown.status == 404)
    let progress = try await server.call(.get, "/sdapi/v1/progress")
    #expect(progress.json["progress"] as? Double == 0)
    #expect((progress.json["state"] as? [String: Any])?["job_count"] as? Int == 0)
  }

  /// Guidance counts from 1, and models that have theirs in their weights go without.
  @Test func guidanceOfEveryClientIsTaken() async throws {
    let server = try TestServer(["few", "base"])
    func made(_ rest: String) async throws -> [UInt8] {
      let answer = try await server.post(
        "/sdapi/v1/txt2img",
        #"{"prompt": "a fox", "seed": 1, "steps": 2, "override_settings": \#(rest)}"#)
      return try picture(answer).values
    }
    let few = #"{"sd_model_checkpoint": "few"}"#
    #expect(
      try await made(few + #", "cfg_scale": 7, "negative_prompt": "ugly""#) == made(few))
    let base = #"{"sd_model_checkpoint": "base"}"#
    let none = try await made(base + #", "cfg_scale": 1"#)
    #expect(try await made(base + #", "cfg_scale": 1, "negative_prompt": "ugly""#) == none)
    #expect(try await made(base + #", "cfg_scale": 5"#) != none)
    #expect(
      try await made(base + #", "cfg_scale": 5, "negative_prompt": "the snow""#)
        != made(base + #", "cfg_scale": 5"#))
  }
}

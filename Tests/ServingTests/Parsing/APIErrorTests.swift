import Foundation
import Models
import PJRT
import Pictures
import Pipelines
import Runtime
import Testing

@testable import Serving

@Suite struct APIErrorTests {
  static let answers: [(APIError, Int, String)] = [
    (.invalid("x"), 400, "invalid_request_error"),
    (.missing("prompt"), 400, "invalid_request_error"),
    (.unauthorized(hasKey: false), 401, "authentication_error"),
    (.noSuchPath("/x", method: "GET"), 404, "invalid_request_error"),
    (.unknownModel("emojo", known: ["emoji"]), 404, "invalid_request_error"),
    (.wrongMethod("PUT", allowed: ["GET", "POST"]), 405, "invalid_request_error"),
    (.tooSlow(seconds: 30), 408, "invalid_request_error"),
    (.bodyTooLarge(limit: 1 << 20), 413, "invalid_request_error"),
    (.wrongContentType("text/plain", expected: "application/json"), 415, "invalid_request_error"),
    (.busy(retryAfter: 3), 429, "rate_limit_error"), (.failed, 500, "server_error"),
    (.outOfMemory, 503, "server_error"), (.stopping, 503, "server_error"),
  ]

  @Test(arguments: answers) func hasOpenAIsForm(error: APIError, status: Int, type: String) throws {
    #expect(error.status == status)
    let body = try #require(
      try JSONSerialization.jsonObject(with: error.json) as? [String: [String: Any]])
    let found = try #require(body["error"])
    #expect(Set(found.keys) == ["message", "type", "param", "code"] && body.count == 1)
    #expect(found["type"] as? String == type && found["message"] as? String == error.message)
    #expect(found["param"] is NSNull == (error.param == nil))
    #expect(found["code"] is NSNull == (error.code == nil))
    #expect(error.headers.contains { $0 == ("Content-Type", "application/json") })
  }

  @Test func headersSayWhatToDo() {
    func header(_ error: APIError, _ name: String) -> String? {
      error.headers.first { $0.name == name }?.value
    }
    #expect(header(.busy(retryAfter: 3), "Retry-After") == "3")
    #expect(header(.unauthorized(hasKey: true), "WWW-Authenticate") == "Bearer")
    #expect(header(.wrongMethod("PUT", allowed: ["GET", "POST"]), "Allow") == "GET, POST")
    #expect(APIError.failed.headers.count == 1)
    #expect(APIError.unknownModel("emojo", known: ["emoji"]).message.contains("mean emoji"))
  }

  static let causes: [(any Error, Int, String?)] = [
    (MultipartError.noBoundary, 400, nil),
    (PictureError.damaged(path: "image", reason: "x"), 400, "image"),
    (PictureError.otherFormat(path: "image"), 400, "image"),
    (PictureError.tooManyPixels(path: "image", width: 9, height: 9, limit: 80), 400, "image"),
    (PictureError.impossibleChannels(2), 500, nil),
    (PipelineError.emptyPrompt, 400, "prompt"),
    (
      PipelineError.wrongSize(
        ImageSize(height: 1, width: 1), multiple: 8, nearest: ImageSize(height: 8, width: 8)),
      400, "size"
    ),
    (PipelineError.wrongReferences(pipeline: "secret", found: 1, expected: 0...0), 400, "image"),
    (PipelineError.guidanceInWeights(path: "secret", scale: 3), 400, "guidance_scale"),
    (PipelineError.negativeWithoutGuidance(start: 1), 400, "negative_prompt"),
    (PipelineError.noTargetTimes(path: "secret"), 400, "twinflow_style"),
    (PipelineError.shiftOfAnyStep, 400, "shift"),
    (PipelineError.unknownClass("11", classes: 10, source: "secret"), 400, "prompt"),
    (PipelineError.imagesNotFinite(path: "secret", guidance: 9), 500, nil),
    (PipelineError.noModel(path: "secret"), 500, nil),
    (PipelineError.tooLarge(phase: "x", needed: 2, capacity: 1, advice: "x"), 503, nil),
    (RuntimeError.outOfMemory(needed: nil, device: nil, message: "secret"), 503, nil),
    (
      PJRTError.failure(code: .resourceExhausted, message: "secret", operation: "x"), 503, nil
    ),
    (PJRTError.failure(code: .internal, message: "secret", operation: "x"), 500, nil),
    (CancellationError(), 503, nil), (APIError.missing("x"), 400, "x"),
  ]

  /// Paths, options of the command line and messages of devices stay in the server's log.
  @Test(arguments: causes.indices) func causesAreMapped(index: Int) {
    let (cause, status, param) = Self.causes[index]
    let error = APIError(cause, param: "image")
    #expect(error.status == status && error.param == param, "\(cause)")
    #expect(!error.message.contains("secret") && !error.message.contains("--"), "\(cause)")
  }
}

import Foundation
import Testing

@testable import Serving

/// Time grows with the input and not with its square, also for inputs that are made to be slow.
@Suite(.serialized) struct LinearTimeTests {
  /// A text that is repeated, with what stands around it.
  struct Input: Sendable, CustomTestStringConvertible {
    let start: String
    let repeated: String
    let end: String

    func bytes(_ count: Int) -> [UInt8] {
      let times = count / repeated.utf8.count
      return Array((start + String(repeating: repeated, count: times) + end).utf8)
    }

    var testDescription: String { repeated.debugDescription }
  }

  private static let field = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n"
  private static let boundary = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

  static let forms = [
    Input(start: "", repeated: "\r", end: ""), Input(start: "", repeated: "\r\n-", end: ""),
    Input(start: "--\(boundary)", repeated: " ", end: ""),
    Input(start: "--\(boundary)--", repeated: "\t", end: ""),
    Input(start: "", repeated: "\r\n--\(boundary.dropLast())", end: ""),
    Input(start: "--\(boundary)\r\n", repeated: "A: b\r\n", end: ""),
    Input(start: "--\(boundary)\r\n", repeated: "x", end: ""),
    Input(start: field, repeated: "\r\n--\(boundary.dropLast())", end: "\r\n--\(boundary)--"),
    Input(
      start: "--\(boundary)",
      repeated: "\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--\(boundary)", end: "--"),
  ]

  static let texts = [
    Input(start: "", repeated: "[", end: ""), Input(start: "", repeated: " ", end: ""),
    Input(start: "{\"a\":\"", repeated: "\\", end: ""),
    Input(start: "{\"a\":\"", repeated: "\\ud83d\\udc55", end: "\"}"),
    Input(start: "{\"a\":\"", repeated: "é", end: "\"}"),
    Input(start: "{\"a\":\"", repeated: "e\u{301}\u{301}", end: "\"}"),
    Input(start: "{\"a\":", repeated: "1", end: "}"),
    Input(start: "{", repeated: "\"a\":1,", end: ""),
    Input(start: "{\"a\":[", repeated: "[],", end: "1]}"),
    Input(start: "{\"\(String(repeating: "k", count: 100))\":[", repeated: "1,", end: "1]}"),
  ]

  /// The processor's time of this thread, which other work on the machine does not change.
  private func seconds(_ body: () -> Void) -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    body()
    return now() - start
  }

  /// The least of three times.
  private func least(_ body: () -> Void) -> Double {
    (0..<3).map { _ in seconds(body) }.min() ?? 0
  }

  /// Compares inputs of 16 and of 256 KiB: linear is 16 times as long, quadratic 256 times.
  private func expectLinear(_ input: Input, _ read: ([UInt8]) -> Void) {
    let (short, long) = (input.bytes(1 << 14), input.bytes(1 << 18))
    let (first, second) = (least { read(short) }, least { read(long) })
    #expect(second < 80 * first + 0.002, "\(first) s and \(second) s")
  }

  @Test(arguments: forms) func formsAreReadInLinearTime(input: Input) {
    let type = "multipart/form-data; boundary=\(Self.boundary)"
    var limits = MultipartForm.Limits()
    limits.parts = .max
    expectLinear(input) { bytes in
      if let read = try? ReadForm(bytes, contentType: type, limits: limits) {
        _ = try? read.parameters()
      }
    }
  }

  @Test(arguments: texts) func textsAreReadInLinearTime(input: Input) {
    expectLinear(input) { bytes in
      guard let found = try? bytes.withUnsafeBytes({ try RequestParameters(json: $0) }) else {
        return
      }
      _ = try? found.string("a", atMost: 5)
      _ = try? found.strings("a", atMost: .max, each: 5)
    }
  }

  @Test(arguments: ["\\", "a; x=1", "\"", ";", "; a=\"b\"", " ", "\u{301}"])
  func headersAreReadInLinearTime(repeated: String) {
    expectLinear(Input(start: "a; x=\"", repeated: repeated, end: "")) { bytes in
      _ = HeaderValue(String(decoding: bytes, as: UTF8.self))
    }
  }
}

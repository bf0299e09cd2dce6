import Foundation
import ONNXRuntime
import PJRT
import Pictures

/// PP-OCR reads the texts in pictures: one network finds lines of text, one says which of them are upside
/// down, and one reads them. The networks are files in ONNX's format, and all else is computed as by
/// rapidocr-onnxruntime 1.4.4.
public final class TextReading: Sendable {
  /// The files of the networks that find, turn and read lines.
  public let files: [String]
  /// The networks' name: that in the name of the last file, such as `PP-OCRv4`.
  public let name: String

  private let detector: TextDetector
  private let direction: TextDirection
  private let recognizer: TextRecognizer

  /// The name of the networks that `scripts/fetch-ocr` fetches.
  public static let fetched = "pp-ocrv4"
  /// The variable that names another library of ONNX Runtime.
  static let libraryVariable = "TWINFLOW_ONNXRUNTIME"

  /// The longest side that is looked at; larger pictures are resized.
  private static let longest = 2000
  /// The shortest side that is looked at.
  private static let shortest = 30
  /// The ratio of sides beyond which a picture gets black stripes above and below.
  private static let widest = 8
  /// The least mean probability of a text's characters.
  private static let leastScore = 0.5

  /// Whether the networks and the library that `scripts/fetch-ocr` fetches are there.
  public static func isFetched(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Bool {
    (try? ModelLibrary(environment: environment).path(of: fetched)) != nil
      && FileManager.default.fileExists(atPath: library(environment))
  }

  /// The file of the library.
  private static func library(_ environment: [String: String]) -> String {
    if let named = environment[libraryVariable], !named.isEmpty {
      return NSString(string: named).expandingTildeInPath
    }
    return cacheDirectory(environment: environment) + "/plugins/onnxruntime.so"
  }

  /// Opens the networks.
  ///
  /// - Parameter folder: a path, or a name for `ModelLibrary`: a folder with one `.onnx` file each whose name
  ///   has `det`, `cls` and `rec` in it; nil for what `scripts/fetch-ocr` fetches.
  /// - Throws: `PipelineError`, `ONNXError`.
  public init(
    _ folder: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    let path = try ModelLibrary(environment: environment).path(of: folder ?? Self.fetched)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let networks = names.filter { $0.hasSuffix(".onnx") }.sorted()
    files = try [
      ("det", "finds lines of text"), ("cls", "tells their direction"), ("rec", "reads them"),
    ].map { part, purpose in
      let own = networks.filter { $0.contains(part) }
      guard own.count == 1 else {
        let found = own.isEmpty ? "none" : own.joined(separator: ", ")
        throw PipelineError.unableNetwork(
          path: path,
          reason:
            "of files *\(part)*.onnx with the network that \(purpose) one was expected, and there is "
            + found + ". scripts/fetch-ocr downloads such a folder")
      }
      return "\(path)/\(own[0])"
    }
    let file = (files[2] as NSString).lastPathComponent
    name = file.firstMatch(of: /PP-OCRv\d+/).map { String($0.output) } ?? "PP-OCR"
    let library = try ONNXLibrary.load(Self.library(environment))
    detector = try TextDetector(files[0], by: library)
    direction = try TextDirection(files[1], by: library)
    recognizer = try TextRecognizer(files[2], by: library)
  }

  /// The lines of text in a picture, in reading order.
  ///
  /// - Throws: `ONNXError.failure`, `PipelineError.unableNetwork`.
  public func lines(in picture: RGBImage) throws -> [TextLine] {
    let (seen, scale, stripe) = Self.prepared(picture)
    let corners = TextQuadrilateral.inReadingOrder(try detector(seen))
    guard !corners.isEmpty else { return [] }
    let cut = corners.map { TextQuadrilateral.picture($0, of: seen) }
    let read = try recognizer(direction(cut))
    let limit = SIMD2(Double(picture.width), Double(picture.height))
    return zip(corners, read).compactMap { corners, read in
      guard read.score >= Self.leastScore else { return nil }
      let placed = corners.map {
        (SIMD2<Double>($0 &- SIMD2(0, stripe)) * scale)
          .clamped(lowerBound: .zero, upperBound: limit)
      }
      return TextLine(corners: placed, text: read.text, score: read.score)
    }
  }

  /// A picture of sides within the limits, what its pixels are times those of the picture given, and the
  /// height of the stripe above it.
  static func prepared(
    _ picture: RGBImage
  ) -> (picture: RGBImage, scale: SIMD2<Double>, stripe: Int) {
    func resized(_ picture: RGBImage, by ratio: Double) -> RGBImage {
      func side(_ length: Int) -> Int { TextDetector.whole(Int(Double(length) * ratio)) }
      return picture.interpolated(width: side(picture.width), height: side(picture.height))
    }
    var seen = picture
    let long = max(seen.width, seen.height)
    if long > longest { seen = resized(seen, by: Double(longest) / Double(long)) }
    let short = min(seen.width, seen.height)
    if short < shortest { seen = resized(seen, by: Double(shortest) / Double(short)) }
    let scale = SIMD2(
      Double(picture.width) / Double(seen.width), Double(picture.height) / Double(seen.height))
    guard seen.height <= shortest || seen.width > widest * seen.height else {
      return (seen, scale, 0)
    }
    let stripe = abs(max(seen.width / widest, shortest) * 2 - seen.height) / 2
    let black = [UInt8](repeating: 0, count: stripe * seen.width * 3)
    let high = RGBImage(
      width: seen.width, height: seen.height + 2 * stripe, values: black + seen.values + black)
    return (high, scale, stripe)
  }
}

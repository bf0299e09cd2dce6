import Foundation
import Models
import Pictures
import Testing

@testable import Pipelines

/// The preprocessing of pictures for CLIP and Mask2Former.
@Suite struct JudgeProcessorTests {
  private func read<Processor: Decodable>(
    _: Processor.Type = Processor.self, _ json: String
  ) throws -> Processor {
    let path = NSTemporaryDirectory() + "processor-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    return try PublishedConfig.read(from: path)
  }

  private func expectError<Processor: Decodable>(
    _: Processor.Type, _ json: String, _ hint: String
  ) {
    let error = #expect(throws: PublishedConfigError.self) { try read(Processor.self, json) }
    #expect(error?.reason.contains(hint) == true, "\(error?.reason ?? "")")
  }

  @Test func settingsOfCLIP() throws {
    let standard = try read(CLIPImageProcessor.self, "{}")
    #expect(standard.side == 224 && standard.crop == 224 && standard.filter == .bicubic)
    #expect(standard.normalization == .clip && standard.keepsRatio)
    let old = try read(CLIPImageProcessor.self, #"{"size": 336, "crop_size": 330}"#)
    #expect(old.side == 336 && old.crop == 330)
    let new = try read(
      CLIPImageProcessor.self,
      #"{"size": {"shortest_edge": 30}, "crop_size": {"height": 20, "width": 20}, "resample": 2}"#)
    #expect(new.side == 30 && new.crop == 20 && new.filter == .bilinear)
    #expect(new.resizedSize(width: 50, height: 37) == ImageSize(height: 30, width: 40))
    #expect(new.resizedSize(width: 33, height: 64) == ImageSize(height: 58, width: 30))
    for (json, hint) in [
      (#"{"crop_size": 300}"#, "it may be at most `size`, 224"),
      (#"{"size": 0}"#, "1 to 65536"), (#"{"do_center_crop": false}"#, "do_center_crop"),
      (#"{"image_processor_type": "ViTImageProcessor"}"#, "ViTImageProcessor"),
      (#"{"crop_size": {"height": 20, "width": 30}}"#, "width"),
      (#"{"resample": 9}"#, "only Pillow's filters"), (#"{"image_std": [1, 0, 1]}"#, "image_std"),
    ] { expectError(CLIPImageProcessor.self, json, hint) }
  }

  /// By `get_size_with_aspect_ratio` of transformers, and `imrescale` of mmcv.
  @Test(arguments: [
    (50, 37, 1081, 800, 1081, 800), (1024, 1024, 800, 800, 800, 800),
    (640, 480, 1066, 800, 1067, 800), (333, 1000, 444, 1333, 444, 1333),
    (2000, 500, 1333, 333, 1333, 333), (800, 1200, 800, 1200, 800, 1200),
    (31, 30, 826, 800, 827, 800),
  ])
  func sizesForMask2Former(
    width: Int, height: Int, newWidth: Int, newHeight: Int, otherWidth: Int, otherHeight: Int
  ) throws {
    let size = ImageSize(height: height, width: width)
    let processor = try read(Mask2FormerImageProcessor.self, "{}")
    #expect(processor.resizedSize(size) == ImageSize(height: newHeight, width: newWidth))
    let other = Mask2FormerImageProcessor.mmdetection.resizedSize(size)
    #expect(other == ImageSize(height: otherHeight, width: otherWidth))
  }

  @Test func picturesAreStretchedOrPadded() throws {
    let image = RGBImage(width: 40, height: 30, values: [UInt8](repeating: 200, count: 3600))
    var processor = try read(
      Mask2FormerImageProcessor.self,
      #"{"size": {"shortest_edge": 30, "longest_edge": 90}, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}"#
    )
    let stretched = processor(image)
    #expect(stretched.size == ImageSize(height: 32, width: 64))
    #expect(stretched.content == stretched.size)
    #expect(stretched.values.allSatisfy { abs($0 - 200 / 255) < 1e-6 })
    processor.convention = .mmdetection
    let padded = processor(image)
    #expect(padded.size == ImageSize(height: 32, width: 64))
    #expect(padded.content == ImageSize(height: 30, width: 40))
    for (place, value) in padded.values.enumerated() {
      let (row, column) = (place / 3 / 64, place / 3 % 64)
      let wanted: Float = row < 30 && column < 40 ? 200 : 128
      #expect(abs(value - wanted / 255) < 1e-6)
    }
    for (json, hint) in [
      (#"{"size": {"height": 30, "width": 40}}"#, "only squares"),
      (#"{"pad_size": {"height": 30, "width": 40}}"#, "pad_size"),
      (#"{"image_processor_type": "DetrImageProcessor"}"#, "DetrImageProcessor"),
      (#"{"size": {"shortest_edge": 0}}"#, "1 to 16384"),
    ] { expectError(Mask2FormerImageProcessor.self, json, hint) }
  }
}

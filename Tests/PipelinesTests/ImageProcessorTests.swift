import Foundation
import Models
import Pictures
import Testing

@testable import Pipelines

/// Sizes of images and the settings of image processors.
@Suite struct ImageProcessorTests {
  private func processor(_ json: String) throws -> Qwen2VLImageProcessor {
    let path = NSTemporaryDirectory() + "processor-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    return try PublishedConfig.read(from: path)
  }

  private func image(_ width: Int, _ height: Int) -> RGBImage {
    RGBImage(width: width, height: height, values: [UInt8](repeating: 9, count: width * height * 3))
  }

  /// By `smart_resize` of transformers.
  @Test(
    arguments: [
      (130, 90, 3136...12544, 140, 84),
      (40, 30, 3136...12544, 84, 56),
      (200, 170, 3136...12544, 112, 84),
      (70, 42, 3136...1003520, 56, 56),
      (98, 14, 784...1003520, 84, 28),
      (1024, 1024, 3136...12845056, 1036, 1036),
      (1184, 896, 3136...12845056, 1176, 896),
      (3000, 200, 3136...1003520, 2996, 196),
      (10, 10, 3136...1003520, 56, 56),
      (5, 900, 3136...200000, 28, 756),
      (28, 13, 700...1003520, 56, 28),
    ] as [(Int, Int, ClosedRange<Int>, Int, Int)])
  func sizes(width: Int, height: Int, limits: ClosedRange<Int>, newWidth: Int, newHeight: Int)
    throws
  {
    let processor = try processor(
      "{\"min_pixels\": \(limits.lowerBound), \"max_pixels\": \(limits.upperBound)}")
    let size = try processor.size(of: image(width, height))
    #expect(size == ImageSize(height: newHeight, width: newWidth))
  }

  /// By `calculate_dimensions` of QwenImageEditPlusPipeline.
  @Test(
    arguments: [
      (1024, 768, 1024, 1184, 896), (512, 512, 1024, 1024, 1024), (1920, 1080, 1024, 1376, 768),
      (333, 777, 1024, 672, 1568), (100, 72, 1024, 1216, 864), (3000, 1000, 1024, 1760, 576),
      (720, 1280, 1024, 768, 1376), (1024, 768, 384, 448, 320), (1920, 1080, 384, 512, 288),
      (333, 777, 384, 256, 576), (3000, 1000, 384, 672, 224), (720, 1280, 384, 288, 512),
      (64, 64, 384, 384, 384),
    ])
  func sizesOfAnArea(width: Int, height: Int, side: Int, newWidth: Int, newHeight: Int) {
    let size = ImageSize(area: side * side, like: ImageSize(height: height, width: width))
    #expect(size == ImageSize(height: newHeight, width: newWidth))
  }

  @Test func tooNarrowImagesAreNamed() throws {
    let processor = try processor("{}")
    #expect(throws: PipelineError.tooNarrow(width: 402, height: 2, limit: 200)) {
      try processor.size(of: image(402, 2))
    }
    #expect(try processor.size(of: image(400, 2)).height == 28)
  }

  @Test func settings() throws {
    let standard = try processor("{}")
    #expect(standard.pixels == 3136...1_003_520 && standard.patch == 14 && standard.merge == 2)
    #expect(standard.filter == .bicubic && standard.frames == 2)
    let sized = try processor(
      #"{"size": {"shortest_edge": 784, "longest_edge": 1568}, "min_pixels": 1000, "resample": 1}"#)
    #expect(sized.pixels == 1000...1568 && sized.filter == .lanczos)
    for (json, hint) in [
      (#"{"resample": 0}"#, "Pillow's filters"), (#"{"do_resize": false}"#, "only true"),
      (#"{"min_pixels": 2000000}"#, "min_pixels"), (#"{"image_std": [1, 0, 1]}"#, "above 0"),
      (#"{"image_processor_type": "CLIPImageProcessor"}"#, "Qwen2VLImageProcessor"),
      (#"{"size": {"height": 3}}"#, "shortest_edge"),
    ] {
      let error = #expect(throws: PublishedConfigError.self) { try processor(json) }
      #expect(error?.description.contains(hint) == true, "\(error?.description ?? json)")
    }
  }

  /// Patches by squares of 2 × 2, each with its channels, and twice each frame.
  @Test func orderOfPatches() throws {
    var processor = try processor(#"{"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}"#)
    (processor.patch, processor.pixels, processor.normalization.scale) = (1, 8...8, 1)
    let values = (0..<8 as Range<UInt8>).flatMap { value in [value, value + 10, value + 20] }
    let patches = try processor([RGBImage(width: 4, height: 2, values: values)])
    #expect(patches.grids == [TokenGrid(height: 2, width: 4)])
    let order: [Float] = [0, 1, 4, 5, 2, 3, 6, 7]
    let expected = order.flatMap { value in [0, 0, 10, 10, 20, 20].map { value + $0 } }
    #expect(patches.values.array(of: Float.self) == expected)
  }
}

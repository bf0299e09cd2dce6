import Foundation
import Pictures
import Pipelines
import Runtime
import Tensors

extension GoldenCase {
  private struct CLIPSettings: Decodable {
    struct Run: Decodable {
      struct Options: Decodable {
        let bgcolor: String?
        let crop: String?
      }
      let `class`: String
      let options: Options
      let use_masks: Bool
    }
    let texts: [String]
    let colors: [String]?
    let images: [String]
    let colour_runs: [String: Run]?
  }

  /// The pixels of another image library, which are not computed here.
  var notComparedOfCLIP: [(name: String, reason: String)] {
    expected.names.filter { $0 == "pixel_values_torchvision" }.map {
      ($0, "it is of torchvision's resizing of tensors, which differs by up to two gray levels")
    }
  }

  /// Compares the features of pictures and texts by both layouts of weights, and the colors of objects.
  func checkCLIPJudge(on client: Client) throws -> [Comparison] {
    let settings: CLIPSettings = try settings()
    let engine = Engine(client: client, cache: ExecutableCache())
    return try naming {
      let judge = try CLIPJudge(modelPath, on: engine)
      var found = try outputs(of: judge, settings)
      let hasOther = FileManager.default.fileExists(atPath: path + "/model_open_clip")
      if hasOther {
        let other = try CLIPJudge(path + "/model_open_clip", tokenizer: modelPath, on: engine)
        found = try found.merging(openCLIPOutputs(of: other, settings))
        for (name, run) in settings.colour_runs ?? [:] {
          found.merge(try colors(of: other, settings, run).prefixed(name))
        }
      }
      let skipped = notCompared.map(\.name)
      return try comparisons(expected.names.filter { !skipped.contains($0) }, found) { name in
        ["input_ids", "input_ids_open_clip", "attention_mask", "answer"].contains {
          name == $0 || name.hasSuffix(".\($0)")
        }
      }
    }
  }

  private func pictures(_ settings: CLIPSettings) throws -> [Picture] {
    try settings.images.indices.map { try picture("image_\($0).png") }
  }

  /// The features of pictures and texts, and how well they fit, by the prefix of their names.
  private func features(
    of judge: CLIPJudge, _ pixels: [[Float]], _ texts: [String]
  ) throws -> Named<HostArray> {
    let (images, words) = try (
      judge.rawFeatures(ofPixels: pixels), judge.rawFeatures(ofTexts: texts)
    )
    let (own, labels) = (CLIPJudge.normalized(images), CLIPJudge.normalized(words))
    let scores = CLIPJudge.scores(own, labels)
    let factor = Float(try judge.logitFactor() / 100)
    return Named([
      ("image_features", HostArray(images)), ("text_features", HostArray(words)),
      ("image_embeds_normalised", HostArray(own)), ("text_embeds_normalised", HostArray(labels)),
      ("logits_per_image", HostArray(scores.map { $0.map { $0 * factor } })),
      ("clip_score", HostArray(scores.map { $0.map { max($0, 0) } })),
    ])
  }

  private func outputs(
    of judge: CLIPJudge, _ settings: CLIPSettings
  ) throws -> Named<HostArray> {
    let pixels = try pictures(settings).map { judge.processor($0) }
    var found = try features(of: judge, pixels, settings.texts)
    let side = judge.processor.crop
    found["pixel_values"] = HostArray(images: pixels, height: side, width: side)
    let counts = settings.texts.map { judge.tokenCount($0) }
    let ids = try judge.tokens(settings.texts)
    let shape = [ids.count, judge.config.text.positions]
    found["input_ids_open_clip"] = HostArray(ids, shape)
    found["input_ids"] = HostArray(
      zip(ids, counts).map { row, count in
        Array(row[..<count]) + row[count...].map { _ in judge.paddingToken }
      }, shape)
    found["attention_mask"] = HostArray(
      zip(ids, counts).map { row, count in row.indices.map { $0 < count ? 1 : 0 } }, shape)
    return found
  }

  private func openCLIPOutputs(
    of judge: CLIPJudge, _ settings: CLIPSettings
  ) throws -> Named<HostArray> {
    let pixels = try pictures(settings).map { judge.processor($0) }
    var found = try features(of: judge, pixels, settings.texts).prefixed("open_clip")
    let side = judge.processor.crop
    found["pixel_values_open_clip"] = HostArray(images: pixels, height: side, width: side)
    return found
  }

  /// The colors of the objects of `scene.png`.
  private func colors(
    of judge: CLIPJudge, _ settings: CLIPSettings, _ run: CLIPSettings.Run
  ) throws -> Named<HostArray> {
    let scene = RGBImage(try picture("scene.png"), transparency: .ignored)
    let boxes = try input("boxes", shape: [nil, 5])
    let count = boxes.rowCount
    let masks = try input("masks", shape: [count, scene.height, scene.width])
    let hasMask = try input("has_mask", shape: [count]).values
    var crop = ObjectCrop()
    if let color = run.options.bgcolor {
      crop.background = color == "original" ? nil : try Self.color(color, of: self)
    }
    crop.cutsBox = run.options.crop.map { $0 == "1" } ?? true
    let objects = (0..<count).map { row in
      let mask =
        run.use_masks && hasMask[row] == 1 ? masks.row(row).values.map { $0 > 0 } : nil
      return crop(scene, box: boxes.row(row).values, mask: mask)
    }
    let names = settings.colors ?? []
    let texts = names.map { CLIPJudge.colorTexts($0, of: run.class) }
    let classifier = try judge.classifier(texts)
    let scores = try judge.scores(of: objects, classifier)
    let side = judge.processor.crop
    return Named([
      ("crops", HostArray(images: objects.map { judge.processor($0) }, height: side, width: side)),
      (
        "input_ids",
        HostArray(
          try texts.flatMap { try judge.tokens($0) },
          [names.count, texts.first?.count ?? 0, judge.config.text.positions])
      ),
      (
        "classifier",
        HostArray(classifier).transposed([1, 0])
      ),
      ("logits", HostArray(scores)),
      (
        "answer",
        HostArray([scores.map { row in row.firstIndex(of: row.max() ?? 0) ?? 0 }], [count])
      ),
    ])
  }

  /// A color as CSS writes it, by three or six digits or by name.
  private static func color(_ text: String, of golden: GoldenCase) throws -> [UInt8] {
    let names = ["black": "#000", "white": "#fff", "gray": "#808080", "grey": "#808080"]
    var digits = (names[text] ?? text).dropFirst().map { String($0) }
    if digits.count == 3 { digits = digits.flatMap { [$0, $0] } }
    let values = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(digits[$0] + digits[$0 + 1], radix: 16)
    }
    guard values.count == 3 else { throw golden.fail("its color \(text) is not known") }
    return values
  }
}

import Foundation
import Layers
import Models
import Pictures
import Pipelines
import Runtime
import Tensors
import Weights

extension GoldenCase {
  private struct DetectionSettings: Decodable {
    struct Settings: Decodable {
      let threshold: Float
      let max_per_image: Int
    }
    let settings: Settings
  }

  /// Compares a network's features and logits, and the things that both published rules find.
  func checkDetectionJudge(on client: Client) throws -> [Comparison] {
    let settings = try settings(DetectionSettings.self).settings
    let image = RGBImage(try picture("image.png"))
    let engine = Engine(client: client, cache: ExecutableCache())
    return try naming {
      let rules = [
        "hf": InstanceRules.transformers(threshold: settings.threshold),
        "mmdet": .mmdetection(limit: settings.max_per_image),
      ]
      var found = Named<HostArray>()
      for (name, rules) in rules {
        let judge = try DetectionJudge(modelPath, rules: rules, on: engine)
        let things = try judge(image, above: -1)
        found.merge(outputs(things, image, name).prefixed(name))
        if found["pixel_values"] == nil {
          let prepared = judge.processor(image)
          let (height, width) = (prepared.size.height, prepared.size.width)
          found["pixel_values"] = HostArray(
            images: [prepared.values], height: height, width: width)
          found["pixel_mask"] = HostArray(
            [Float](repeating: 1, count: height * width), [1, height, width])
        }
      }
      found = try found.merging(networkOutputs(found["pixel_values"]!, client))
      return try comparisons(expected.names, found) { name in
        ["pixel_mask", "masks", "labels", "boxes", "bboxes", "areas"].contains {
          name == $0 || name.hasSuffix(".\($0)")
        }
      }
    }
  }

  /// The best things, as many as the case has.
  private func outputs(
    _ things: [Detection], _ image: RGBImage, _ rules: String
  ) -> Named<HostArray> {
    func first(_ output: String) -> ArraySlice<Detection> {
      things.prefix(expected["\(rules).\(output)"]?.rowCount ?? things.count)
    }
    func numbers(_ output: String, _ value: (Detection) -> Float) -> HostArray {
      let kept = first(output)
      return HostArray(kept.map(value), [kept.count])
    }
    func boxes(_ output: String) -> HostArray {
      let kept = first(output)
      return HostArray(kept.flatMap(\.box), [kept.count, 4])
    }
    let masks = first("masks")
    return Named([
      ("scores", numbers("scores") { $0.score }),
      ("class_scores", numbers("class_scores") { $0.classScore }),
      ("labels", numbers("labels") { Float($0.label) }),
      ("areas", numbers("areas") { Float($0.mask.count { $0 }) }),
      ("boxes", boxes("boxes")), ("bboxes", boxes("bboxes")),
      (
        "masks",
        HostArray(
          masks.flatMap { $0.mask.map { $0 ? 1 : 0 } as [Float] },
          [masks.count, image.height, image.width])
      ),
    ])
  }

  /// The features and logits of a picture.
  private func networkOutputs(
    _ pixels: HostArray, _ client: Client
  ) throws -> Named<HostArray> {
    let sizes: Mask2FormerConfig = try networkConfig()
    let weights = try loadedWeights(
      Scope.declare { Mask2Former($0, sizes) }, names: sizes.names(in:), ignoring: sizes.ignores,
      on: client)
    var found = try networkOutputs(pixels, sizes, weights, client)
    // The same network in the layout of mmdetection.
    let other = path + "/model_mmdetection.pth"
    guard FileManager.default.fileExists(atPath: other) else { return found }
    let files = try WeightFiles(path: other)
    guard let own = Mask2FormerConfig(mmdetection: files.types) else {
      throw fail("\(other) is not known")
    }
    let same = try WeightLoader(client).load(
      Scope.declare { Mask2Former($0, own) }, from: files, names: own.names(in: []),
      as: { _ in .float32 }, ignoring: own.ignores)
    found.merge(try networkOutputs(pixels, own, same, client).prefixed("mmdetection"))
    return found
  }

  private func networkOutputs(
    _ pixels: HostArray, _ sizes: Mask2FormerConfig, _ weights: Named<ShardedArray>,
    _ client: Client
  ) throws -> Named<HostArray> {
    let build = { (scope: Scope) in Mask2Former(scope, sizes) }
    let inputs = Named([("inputs.pixels", pixels)])
    let program = try HostProgram(inputs, weights: weights.prefixed("weights"), on: client) {
      let network = Scope.bind($0.group("weights"), build)
      let output = network($0["inputs.pixels"]!.transpose([0, 2, 3, 1]))
      var results = Named([
        ("class_queries_logits", output.classes), ("masks_queries_logits", output.masks),
        ("pixel_decoder_last", output.maskFeatures.transpose([0, 3, 1, 2])),
      ])
      for (number, features) in output.features.enumerated() {
        results["backbone_\(number)"] = features.transpose([0, 3, 1, 2])
      }
      for (number, logits) in output.earlierClasses.enumerated() {
        results["aux\(number).class_logits"] = logits
      }
      return results
    }
    return try program(inputs)
  }
}

import Flow
import Foundation
import Models
import Pictures
import Pipelines
import Recipe
import TestSupport
import Testing

@testable import Training

/// A folder with five pictures, their prompts and reference images, on which published models are trained for a
/// few steps.
struct TextToImageFolder {
  let folder: TemporaryFolder
  /// The size that pictures are trained and made at.
  let size: ImageSize

  var path: String { folder.path }

  /// Makes the folder.
  ///
  /// - Parameter pictureSize: the size of the first picture; each further one is a pixel wider.
  init(
    _ size: ImageSize = ImageSize(height: 32, width: 48),
    pictures pictureSize: ImageSize = ImageSize(height: 36, width: 40)
  ) throws {
    (folder, self.size) = (try TemporaryFolder(), size)
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
    for number in 0..<5 {
      try picture(
        "p\(number)", ImageSize(height: pictureSize.height, width: pictureSize.width + number),
        number)
      try picture("p\(number).ref1", ImageSize(height: 36, width: 50), number)
      try write(
        "a fox number \(number)\na picture of a fox in the snow at dawn\n",
        to: "data/p\(number).txt")
    }
    try write("a fox\na cat on a hill\n\na dog\na house by the sea\n", to: "prompts.txt")
  }

  /// The folder of the pictures.
  var data: String { "\(path)/data" }

  /// Writes a picture whose colors depend on its number.
  func picture(_ name: String, _ size: ImageSize, _ number: Int) throws {
    try Picture(
      width: size.width, height: size.height, channels: 3,
      values: (0..<size.height * size.width * 3).map {
        UInt8(truncatingIfNeeded: $0 * (number + 3))
      }
    ).write(to: "\(data)/\(name).png")
  }

  /// Writes a text to a file in the folder.
  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
  }

  /// A recipe of a few steps.
  func recipe(
    _ output: String, _ start: String = PublishedModels.qwen, kind: String = "qwen_image",
    optimizer: String = "adamw", set settings: [String] = []
  ) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: \(kind)}
      objective: {preset: twinflow}
      data: {kind: images, folder: \(data), size: [\(size.height), \(size.width)]}
      optimizer: {kind: \(optimizer), learning_rate: 1e-3, max_grad_norm: 1}
      start: \(start)
      condition_dropout: 0.2
      batch: 4
      steps: 4
      seed: 3
      output: \(path)/\(output)
      log_every: 1
      checkpoint_every: 2
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "small.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  /// A picture in two steps that a whole pipeline makes with weights for any number of steps.
  func picture(
    of model: String, transformer: String? = nil, lora: String? = nil, editing: [RGBImage] = []
  ) throws -> [Float] {
    var replacing = ImagePipeline.Replacements()
    replacing.transformer = transformer
    replacing.loras = lora.map { [LoRAUse($0)] } ?? []
    return try picture(
      of: ImagePipeline(ModelFolder(model), replacing: replacing, on: SharedEngine.get()),
      editing: editing)
  }

  /// A picture in two steps that a pipeline makes with weights for any number of steps.
  func picture(of pipeline: ImagePipeline, editing: [RGBImage] = []) throws -> [Float] {
    var request = ImageRequest(prompt: "a fox", seed: 1)
    (request.size, request.steps) = (size, 2)
    let resolved = try pipeline.resolve(request, editing: editing)
    guard case .anyStep = resolved.schedule else {
      Issue.record("the weights are sampled by the scheduler's steps")
      return []
    }
    return try pipeline([[resolved]], editing: editing)[0].array(of: Float.self)
  }
}

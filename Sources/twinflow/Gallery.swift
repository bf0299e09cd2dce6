import Datasets
import Evaluation
import Files
import Flow
import Foundation
import Pictures
import Tensors
import Training

/// Sheets of generated pictures, one row a class or a network.
struct Gallery {
  let engine: Engine
  let seed: UInt64

  /// Makes `columns` pictures of each class.
  ///
  /// - Returns: the sheet, and its settings as text for the file.
  /// - Throws: `TrainingError.imagesNotFinite`, and what the generator throws.
  func sheet(
    _ file: ModelFile, _ settings: SamplerSettings, guidance: Double, title: String,
    caption: String, columns: Int = 10
  ) throws -> (sheet: Sheet, texts: [(key: String, text: String)]) {
    let classes = file.model.sample.classes
    let pictures = try pictures(file, settings, guidance: guidance, each: columns)
    let rows = classes == FashionMNIST.classes.count ? FashionMNIST.classes : []
    let sheet = Sheet(
      title: title, caption: caption, rows: rows, columns: columns, pictures: pictures)
    let json = try JSONFile.text(settings)
    let texts = [
      ("Software", "twinflow \(TwinFlow.configuration.version)"), ("twinflow.weights", file.path),
      ("twinflow.sampler", json), ("twinflow.guidance", "\(guidance)"),
      ("twinflow.seed", "\(seed)"),
    ]
    return (sheet, texts.map { (key: $0.0, text: $0.1) })
  }

  /// Pictures of several networks from the same noise in one step, a row each; a class after the other,
  /// `each` of them.
  ///
  /// - Throws: as `sheet`.
  func comparison(
    _ networks: [(name: String, file: ModelFile)], title: String, each: Int = 2
  ) throws -> Sheet {
    let rows = try networks.map { _, file in
      try pictures(file, file.card.sampler(1), guidance: file.card.guidance, each: each)
    }
    return Sheet(
      title: title, caption: "one step", rows: networks.map(\.name),
      columns: rows.first?.count ?? 1, pictures: rows.flatMap { $0 })
  }

  /// As many pictures of each class, a class after the other.
  private func pictures(
    _ file: ModelFile, _ settings: SamplerSettings, guidance: Double, each: Int
  ) throws -> [Picture] {
    let (image, classes) = file.model.sample
    let labels = (0..<classes * each).map { Int32($0 / each) }
    let generator = try Generator(
      file, settings, guidance: guidance, batch: labels.count, on: engine)
    let numbers = try generator(labels: labels, seed: seed).array(of: Float.self)
    guard numbers.allSatisfy(\.isFinite) else {
      throw TrainingError.imagesNotFinite(path: file.path)
    }
    return try labels.indices.map { i in
      try Picture(
        width: image[1], height: image[0], channels: image[2],
        numbers: numbers[i * image.count..<(i + 1) * image.count])
    }
  }
}

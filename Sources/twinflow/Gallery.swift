import Datasets
import Evaluation
import Files
import Flow
import Foundation
import Pictures
import Tensors
import Training

/// Sheets of generated pictures, one row a class.
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
    let (image, classes) = file.model.sample
    let labels = (0..<classes * columns).map { Int32($0 / columns) }
    let generator = try Generator(
      file, settings, guidance: guidance, batch: labels.count, on: engine)
    let numbers = try generator(labels: labels, seed: seed).array(of: Float.self)
    guard numbers.allSatisfy(\.isFinite) else {
      throw TrainingError.imagesNotFinite(path: file.path)
    }
    let pictures = labels.indices.map { i in
      Picture(
        width: image[1], height: image[0], channels: image[2],
        numbers: numbers[i * image.count..<(i + 1) * image.count])
    }
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
}

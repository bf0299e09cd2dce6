import Datasets
import Evaluation
import Files
import Flow
import Foundation
import Pictures
import Tensors
import Pipelines
import Runtime
import Training

/// Sheets of generated pictures, with a row per class or network.
struct Gallery {
  let engine: Engine
  let seed: UInt64
  var compute = DType.float32

  /// A sheet with `columns` pictures of each class.
  ///
  /// - Parameter progress: called after every step of the sampler.
  /// - Returns: the sheet, and its settings as text for the file.
  /// - Throws: `PipelineError.notPictures` for a network of points, and what the generator throws.
  func sheet(
    _ file: ModelFile, _ settings: SamplerSettings, guidance: Double, title: String,
    caption: String, columns: Int = 10, progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> (sheet: Sheet, texts: [(key: String, text: String)]) {
    let classes = file.model.classes
    let pictures = try pictures(
      file, settings, guidance: guidance, each: columns, progress: progress)
    let rows = classes == FashionMNIST.classNames.count ? FashionMNIST.classNames : []
    let sheet = Sheet(
      title: title, caption: caption, rows: rows, columns: columns, pictures: pictures)
    let json = try JSONFile.text(settings)
    let texts = [
      ("Software", "twinflow \(programVersion)"), ("twinflow.weights", file.path),
      ("twinflow.sampler", json), ("twinflow.guidance", "\(guidance)"),
      ("twinflow.seed", "\(seed)"),
    ]
    return (sheet, texts.map { (key: $0.0, text: $0.1) })
  }

  /// One-step pictures of several networks from the same noise, a row each, `each` pictures per
  /// class.
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

  /// `each` pictures of each class, class by class. The first pictures of a class do not depend on
  /// their number.
  private func pictures(
    _ file: ModelFile, _ settings: SamplerSettings, guidance: Double, each: Int,
    progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> [Picture] {
    let (image, classes) = (file.model.sampleShape(), file.model.classes)
    guard file.model.codec != nil, classes > 0 else {
      guard file.model.text == nil else { throw PipelineError.takesText(path: file.path) }
      throw PipelineError.notPictures(path: file.path, shape: image)
    }
    // Each run makes the same number of pictures, from noise that depends on the run's number.
    let perRun = max(1, Evaluator.batch / classes)
    let numbers = (0..<classes * perRun).map { $0 / perRun }
    let prompts = numbers.map { Prompt.classNumber($0) }
    let generator = try Generator(
      file, batch: prompts.count, compute: compute, on: engine)
    var ofClass = [[Picture]](repeating: [], count: classes)
    let runs = (each + perRun - 1) / perRun
    for run in 0..<runs {
      let observer = progress.map { progress in
        { (step: Generator.Progress) in
          progress(run * step.total + step.step, runs * step.total)
        }
      }
      let pixels = try generator(
        prompts, settings, guidance: guidance, seed: seed, number: run, observer: observer
      ).array(of: Float.self)
      for (i, number) in numbers.enumerated() where run * perRun + i % perRun < each {
        let picture = try Picture(
          width: image[1], height: image[0], channels: image[2],
          numbers: pixels[i * image.count..<(i + 1) * image.count])
        ofClass[number].append(picture)
      }
    }
    return ofClass.flatMap { $0 }
  }
}

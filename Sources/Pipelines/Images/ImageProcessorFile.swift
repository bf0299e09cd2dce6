import Foundation
import Models

/// The file in which a folder says how pictures are prepared for its network.
enum ImageProcessorFile {
  /// The names it may have, the first one where a folder has both: of an image processor alone, and of a
  /// processor of texts and pictures, in which transformers writes the image processor since version 5.
  static let names = [alone, joint]

  private static let alone = "preprocessor_config.json"
  private static let joint = "processor_config.json"

  private struct Joint<Config: Decodable>: Decodable {
    let image_processor: Config
  }

  /// The path of the file.
  ///
  /// - Throws: `PipelineError.missingFile`.
  static func path(in folder: String) throws -> String {
    let paths = names.map { "\(folder)/\($0)" }
    guard let path = paths.first(where: FileManager.default.fileExists(atPath:)) else {
      throw PipelineError.missingFile(
        path: folder, file: alone, purpose: "how pictures are prepared for the network")
    }
    return path
  }

  /// Reads the settings of the image processor.
  ///
  /// - Throws: `PipelineError.missingFile`, and the errors of `PublishedConfig.read`.
  static func read<Config: Decodable>(in folder: String) throws -> Config {
    let path = try path(in: folder)
    return path.hasSuffix("/\(joint)")
      ? try PublishedConfig.read(Joint<Config>.self, from: path).image_processor
      : try PublishedConfig.read(from: path)
  }
}

import Foundation

/// The folders of small published models with random weights.
enum PublishedModels {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden").standardized.path
  static let qwen = "\(fixtures)/pipe_qwenimage_a/model"
  static let edit = "\(fixtures)/pipe_qwenimage_edit_a/model"
  static let zImage = "\(fixtures)/pipe_zimage_a/model"
  static let sd3 = "\(fixtures)/pipe_sd3_a/model"
  static let sana = "\(fixtures)/pipe_sana_a/model"
  static let openUni = "\(fixtures)/pipe_openuni_a/model"
}

import Files
import Flow
import Foundation
import Weights

/// How a trained network is sampled, as files of LoRA say it in their metadata.
public struct SamplingCard: Codable, Hashable, Sendable {
  /// Whether it was trained with target times other than the current one, for a few steps.
  public var anyStep: Bool
  /// How it receives target times.
  public var timeConvention: TimeConvention
  /// The scale of guidance; 0 where guidance is trained into the weights.
  public var guidance: Double

  /// Makes a card.
  public init(anyStep: Bool, timeConvention: TimeConvention = .pair, guidance: Double = 0) {
    (self.anyStep, self.timeConvention, self.guidance) = (anyStep, timeConvention, guidance)
  }

  /// The card in a file of LoRA, nil where another program wrote the file.
  ///
  /// - Throws: `PipelineError.unreadableCard`.
  init?(_ file: LoRAFile) throws {
    guard let text = file.sampling else { return nil }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw PipelineError.unreadableCard(path: file.path, reason: "\(error)")
    }
  }

  /// The text for a file's metadata.
  public func text() throws -> String { try JSONFile.text(self) }
}

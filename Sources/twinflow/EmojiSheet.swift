import Files
import Foundation
import Models
import Pictures
import Pipelines
import Runtime

/// A page of emoji that the shipped text-to-picture model makes from prompts in one step.
struct EmojiSheet {
  /// The page.
  let picture: Picture
  /// The number of pictures.
  let count: Int
  /// The milliseconds to make one of them, without compiling programs and loading weights.
  let millisecondsPerPicture: Double

  /// The shipped model.
  static let model = "Assets/emoji"
  /// What the pictures show, column by column.
  private static let prompts = [
    [
      "a slice of pizza", "red apple", "hamburger", "cactus", "sunflower", "rocket", "sailboat",
      "red heart",
    ],
    [
      "dog face", "fox", "octopus", "butterfly", "grinning face", "smiling face with sunglasses",
      "thumbs up: medium skin tone", "guitar",
    ],
    [
      "snowman", "umbrella with rain drops", "soccer ball", "alarm clock", "hot beverage",
      "clapping hands: medium skin tone", "person surfing: light skin tone", "a blue heart",
    ],
  ]
  /// The pictures of each prompt.
  private static let seeds = 2

  /// Makes the pictures.
  ///
  /// - Parameters:
  ///   - seed: that of the first picture of each prompt.
  ///   - progress: called with the number of pictures made and that of all.
  /// - Throws: the errors of files, models and the plugin, and what `progress` throws.
  init(
    seed: UInt64, on engine: Engine, progress: @escaping (_ done: Int, _ all: Int) throws -> Void
  ) throws {
    let pipeline = try ImagePipeline(
      ModelFolder(SharedFiles.standard.path(Self.model)), on: engine)
    let prompts = Self.prompts.flatMap { $0 }
    let items = prompts.flatMap { prompt in
      (0..<Self.seeds).map { PromptGeneration.Item(prompt: prompt, seed: seed &+ UInt64($0)) }
    }
    var request = ImageRequest(prompt: "")
    request.steps = 1
    var pictures: [Picture] = []
    let generation = try PromptGeneration(pipeline, EncodedPrompts(prompts, by: pipeline))
    let run = try generation(
      items, like: request, progress: { try progress($0, items.count) }
    ) { _, made in pictures += made.map(\.picture) }
    (count, millisecondsPerPicture) = (items.count, 1000 * run.secondsPerPicture)
    var first = 0
    picture = try Sheet.page(
      Self.prompts.enumerated().map { number, rows in
        let own = pictures[first..<first + rows.count * Self.seeds]
        first += own.count
        return Sheet(
          title: number == 0 ? "Emoji from words, 1 step" : "",
          caption: number == 0 ? "Two pictures of each prompt" : "", rows: rows,
          columns: Self.seeds, pictures: Array(own))
      })
  }
}

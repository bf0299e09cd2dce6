import ArgumentParser
import Datasets
import Files
import Foundation
import Pictures
import Recipe
import Training

/// `twinflow data inspect`
struct InspectData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Shows what training data hold, and what is wrong with them.",
    discussion: """
      Reads all of a folder of pictures, a table (.jsonl, .csv), tar files in the convention of \
      WebDataset, Parquet files, the IDX files of Fashion-MNIST or a list of prompts (.txt), and \
      prints the number of samples, their sizes, lengths of captions, equal pictures, and everything that is missing or damaged. With a \
      recipe, sizes, columns and limits are those of its data.

      EXAMPLES
        twinflow data inspect pictures
        twinflow data inspect pictures --sheet sheet.png
        twinflow data inspect --recipe Recipes/qwen-image/twinflow-lora.yaml \\
          --set data.folder=pictures
      """)

  @Argument(
    help: "A folder or file of training data; by default that of the recipe.",
    transform: pathOption)
  var path: String?

  @Option(
    help: ArgumentHelp("The recipe whose data are inspected.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]), transform: pathOption)
  var recipe: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Replaces a value of the recipe.", valueName: "key=value"))
  var settings: [String] = []

  @Option(
    help: ArgumentHelp("Writes a page of small pictures as PNG.", valueName: "file"),
    transform: pathOption)
  var sheet: String?

  func validate() throws {
    guard path != nil || recipe != nil else {
      throw ValidationError("Name a folder or a file of training data, or a recipe.")
    }
    guard recipe != nil || settings.isEmpty else {
      throw ValidationError("--set replaces values of a recipe: name one with --recipe.")
    }
  }

  func run() throws {
    let recipe = try recipe.map { name in
      try RecipeDecoder.decode(
        TrainingRecipe.self, contentsOf: SharedFiles.standard.recipe(name),
        settings: settings.map { try RecipeSetting($0) })
    }
    let data = try data(recipe)
    var bar: ProgressBar?
    let inspection = try DataInspection(data, thumbnails: sheet == nil ? 0 : 48) { done, all in
      // A small set needs no bar.
      if bar == nil, done < all { bar = ProgressBar("sample", of: all) }
      bar?.show(done)
    }
    bar?.finish()
    print(
      DataInspectionText(inspection, showsSizes: recipe != nil, batch: recipe?.batch).text)
    if let sheet {
      guard !inspection.thumbnails.isEmpty else { throw NoPictures(path: inspection.path) }
      let page = Sheet(
        title: inspection.path,
        caption: "\(inspection.thumbnails.count) of \(inspection.count) pictures",
        columns: min(8, inspection.thumbnails.count), pictures: inspection.thumbnails)
      try page.unscaled.picture.write(to: sheet)
      print("The pictures are in \(sheet)")
    }
    let isTooSmall = recipe.map { inspection.count < $0.batch } ?? false
    if inspection.isBroken || isTooSmall { throw ExitCode.failure }
  }

  /// The data set of the path and the recipe.
  private func data(_ recipe: TrainingRecipe?) throws -> any DataSet {
    guard let recipe else { return try FoundData.at(path ?? "") }
    guard let path else { return recipe.data.dataSet }
    switch recipe.data.dataSet {
    case var data as any PictureDataSet:
      data.path = path
      return data
    case var data as ClassImageData:
      data.path = path
      return data
    case var data as FashionMNISTData:
      data.path = path
      return data
    default: return try FoundData.at(path)
    }
  }
}

extension Sheet {
  /// The sheet with its pictures as large as they are.
  fileprivate var unscaled: Sheet {
    var sheet = self
    sheet.scale = 1
    return sheet
  }
}

/// A data set without pictures of which a sheet was asked.
struct NoPictures: Error, CustomStringConvertible {
  let path: String

  /// What was found and what to do.
  var description: String { "\(path) has no picture for a sheet. Leave out --sheet." }
}

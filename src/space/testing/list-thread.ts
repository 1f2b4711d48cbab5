import { playThread } from '../../state/testing/scenario.js'
import { ALL_SCENARIOS } from './list-scenarios.js'

playThread(ALL_SCENARIOS)

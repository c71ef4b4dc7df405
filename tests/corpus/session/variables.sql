-- Plain variables of a session, one by one and together. The format stands in tests/routing/oracle.rs.

-- ? each variable, in every spelling of SET
SET sql_mode = ''
SET SESSION sql_mode = 'ANSI_QUOTES'
SET LOCAL sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'
SET @@sql_mode = 'PIPES_AS_CONCAT'
SET @@session.sql_mode = 'ANSI'
SET @@local.sql_mode = ''
SET sql_mode := 'NO_ZERO_DATE,NO_ZERO_IN_DATE'
SET SQL_MODE = 'traditional'
SET sql_mode = 'IGNORE_SPACE,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION'
SET sql_mode = 5
SET sql_mode = DEFAULT
SET /* x */ sql_mode /* y */ = /* z */ ''
SET time_zone = '+00:00'
SET time_zone = '-05:30', sql_mode = 'ANSI_QUOTES'
SET time_zone = SYSTEM
SET time_zone = DEFAULT, sql_mode = DEFAULT

-- ? numbers, switches and words
SET wait_timeout = 600
SET wait_timeout = DEFAULT
SET interactive_timeout = 700
SET net_write_timeout = 90
SET net_read_timeout = 90
SET group_concat_max_len = 100000
SET group_concat_max_len = DEFAULT
SET sort_buffer_size = 300000
SET join_buffer_size = 300000
SET read_buffer_size = 200000
SET read_rnd_buffer_size = 200000
SET tmp_table_size = 5000000
SET max_heap_table_size = 5000000
SET foreign_key_checks = 0
SET foreign_key_checks = ON
SET unique_checks = OFF
SET unique_checks = 1
SET lc_time_names = 'de_DE'
SET lc_messages = 'de_DE'
SET lc_time_names = 'en_US', lc_messages = 'en_US'
SET div_precision_increment = 6
SET default_week_format = 3
SET sql_safe_updates = 1
SET sql_safe_updates = 0
SET sql_notes = 0
SET sql_warnings = 1
SET sql_quote_show_create = 0
SET big_tables = 1
SET low_priority_updates = 1
SET max_sort_length = 512
SET max_error_count = 3
SET max_seeks_for_key = 1000
SET max_length_for_sort_data = 2048
SET min_examined_row_limit = 5
SET optimizer_switch = 'mrr=off'
SET optimizer_switch = 'index_merge=off,mrr=on'
SET optimizer_switch = DEFAULT
SET optimizer_prune_level = 0
SET optimizer_search_depth = 10
SET long_query_time = 2.5
SET long_query_time = 0.000001
SET lock_wait_timeout = 5
SET innodb_lock_wait_timeout = 6
SET sql_big_selects = 1
SET eq_range_index_dive_limit = 50
SET bulk_insert_buffer_size = 1000000
SET myisam_sort_buffer_size = 1000000
SET updatable_views_with_limit = 0
SET query_alloc_block_size = 16384
SET transaction_prealloc_size = 8192
SET default_storage_engine = MyISAM
SET default_tmp_storage_engine = MEMORY

-- ? each: variables that few know
SET profiling = 1
SET profiling = 0
SET keep_files_on_create = 1
SET completion_type = 0
SET auto_increment_increment = 3
SET auto_increment_offset = 2
SET auto_increment_increment = 1, auto_increment_offset = 1
SET old_passwords = 0
SET sql_auto_is_null = 1
SET sql_auto_is_null = 0
-- > mysql
SET max_execution_time = 10000
SET cte_max_recursion_depth = 10
SET windowing_use_high_precision = 0
SET information_schema_stats_expiry = 0
SET end_markers_in_json = 1
SET range_optimizer_max_mem_size = 1000000
SET explicit_defaults_for_timestamp = 0
SET explicit_defaults_for_timestamp = 1
SET internal_tmp_mem_storage_engine = MEMORY
SET show_create_table_verbosity = 1
SET print_identified_with_as_hex = 1
SET sql_require_primary_key = 1
SET sql_require_primary_key = 0
SET sql_generate_invisible_primary_key = 1
SET default_collation_for_utf8mb4 = utf8mb4_general_ci
SET default_collation_for_utf8mb4 = utf8mb4_0900_ai_ci
SET transaction_write_set_extraction = XXHASH64
SET select_into_disk_sync = 1
SET generated_random_password_length = 30
SET require_row_format = 0
SET use_secondary_engine = OFF
SET block_encryption_mode = 'aes-256-cbc'
SET tmp_memory_table_size = 1000000
-- > mariadb
SET max_statement_time = 10
SET max_statement_time = 0
SET max_recursive_iterations = 10
SET old_mode = ''
SET system_versioning_asof = '2020-01-01 00:00:00'
SET system_versioning_asof = DEFAULT
SET tmp_memory_table_size = 1000000
SET optimizer_use_condition_selectivity = 2
SET use_stat_tables = NEVER
SET join_cache_level = 4
SET in_predicate_conversion_threshold = 100
SET idle_transaction_timeout = 100
SET check_constraint_checks = 0
SET check_constraint_checks = 1
SET column_compression_threshold = 200
SET explicit_defaults_for_timestamp = 0
SET explicit_defaults_for_timestamp = 1
SET sql_if_exists = 0
SET alter_algorithm = DEFAULT

-- ? several at once, some of them wrong
SET sql_mode = '', time_zone = '+01:00', group_concat_max_len = 2048
SET SESSION sql_mode = 'ANSI', SESSION div_precision_increment = 8
SET @@session.time_zone = '+02:00', @@sql_notes = 0, sql_warnings = 1
SET time_zone = '+03:00', no_such_variable = 1
SET time_zone = '+04:00', sql_mode = 'nonsense'
SET sql_mode = 'nonsense'
SET time_zone = 'Nowhere/Land'
SET group_concat_max_len = 'text'
SET group_concat_max_len = 1
SET div_precision_increment = 1000
SET sort_buffer_size = 1
SET no_such_variable = 1
SET max_connections = 5
SET sql_mode = NULL
SET
SET sql_mode =
SET time_zone = '+05:00', sql_mode = DEFAULT, sql_notes = DEFAULT

-- ? what limits reads
SET sql_select_limit = 1000
SET sql_select_limit = DEFAULT
SET max_join_size = 100000000000
SET max_join_size = DEFAULT
SET sql_buffer_result = 1
SET sql_buffer_result = 0

-- ? values that are known when they run
SET @a = 'ANSI_QUOTES'
SET sql_mode = @a

-- ? another such
SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')

-- ? and another
SET group_concat_max_len = 1024 * 4
SET group_concat_max_len = (SELECT 4096)
SET time_zone = @@global.time_zone

-- ? what is spent or private
SET timestamp = 1000000000
SET timestamp = DEFAULT
-- ? private
SET insert_id = 100
-- ? private
SET last_insert_id = 77
-- ? private
SET rand_seed1 = 1, rand_seed2 = 2
-- ? private
SET pseudo_thread_id = 99
-- ? private
SET sql_log_bin = 0
-- ? private
SET session_track_schema = 0
-- ? private
SET session_track_system_variables = 'sql_mode'
SET sql_mode = ''
SET time_zone = '+01:00'
-- ? private
SET session_track_state_change = 1
SET @a = 1
